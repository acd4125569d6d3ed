#include "cluster/redis.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include <fmt/core.h>

#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "config/config.h"

namespace redis {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr char kMaster[] = "sallyport";  // as sentinel.conf has it

[[noreturn]] void fail(const Endpoint& whom, std::string_view why) {
  throw tool::Failure(tool::temporary, fmt::format("ask Redis {}: {}", whom.text(), why));
}

int left_until(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<long long>(left, 0, 3'600'000));
}

// A TCP connection, from its beginning on never waited for but in poll(2).
class Connection {
 public:
  explicit Connection(const Endpoint& to)
      : to_(to), fd_(::socket(to.ip.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    if (!fd_) tool::fail_errno(tool::temporary, "socket");
    const int yes = 1;
    ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    sockaddr_storage address;
    const socklen_t length = to.to_sockaddr(address);
    if (::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0 && errno != EINPROGRESS)
      fail(to, std::strerror(errno));
  }

  const Endpoint& to() const { return to_; }
  pollfd waits() const { return {fd_.get(), static_cast<short>(unsent_.empty() ? POLLIN : POLLIN | POLLOUT), 0}; }
  // Whether Redis has closed it, or said what nobody asked for.
  bool is_stale() const {
    pollfd now{fd_.get(), POLLIN, 0};
    return ::poll(&now, 1, 0) != 0;
  }

  // Begins an exchange; the one before must be over.
  void say(std::string text) {
    unsent_ = std::move(text);
    heard_ = {};
  }
  // What poll(2) found out: sends and receives what is possible. Failure{75}.
  void go_on(short found) {
    if (found & POLLOUT) send();
    if (found & (POLLIN | POLLHUP | POLLERR)) receive();
  }
  std::optional<Reply> pop() { return heard_.pop(); }
  bool said_all() const { return heard_.empty(); }

 private:
  void send() {
    const ssize_t sent = ::send(fd_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) fail(to_, std::strerror(errno));
    if (sent > 0) unsent_.erase(0, static_cast<std::size_t>(sent));
  }
  void receive() {
    char bytes[65536];
    const ssize_t got = ::recv(fd_.get(), bytes, sizeof bytes, 0);
    if (got < 0 && errno != EAGAIN && errno != EINTR) fail(to_, std::strerror(errno));
    if (got == 0) fail(to_, "it closed the connection");
    if (got > 0) heard_.add({bytes, static_cast<std::size_t>(got)});
  }

  Endpoint to_;
  Fd fd_;
  std::string unsent_;
  resp::Parser heard_;
};

// Throws what Redis said, if it is an error.
Reply judged(const Endpoint& whom, Reply reply) {
  if (const auto* error = reply.error()) fail(whom, error->text);
  return reply;
}

// Until `count` answers are here.
std::vector<Reply> await(Connection& connection, std::size_t count, Clock::time_point deadline) {
  std::vector<Reply> replies;
  for (;;) {
    while (replies.size() < count) {
      auto reply = connection.pop();
      if (!reply) break;
      replies.push_back(std::move(*reply));
    }
    if (replies.size() == count) break;
    pollfd wait = connection.waits();
    const int ready = ::poll(&wait, 1, left_until(deadline));
    if (ready < 0 && errno != EINTR) tool::fail_errno(tool::temporary, "poll");
    if (ready == 0) fail(connection.to(), "it does not answer in time");
    if (ready > 0) connection.go_on(wait.revents);
  }
  if (!connection.said_all()) fail(connection.to(), "it says more than it was asked");
  return replies;
}

// A Sentinel, and what it has said so far.
struct Sentinel {
  Connection connection;
  std::vector<Reply> replies;
};

// Absent: it knows no master.
std::optional<Endpoint> named_by(const Endpoint& sentinel, const Reply& reply) {
  judged(sentinel, reply);
  if (reply.is_nil()) return std::nullopt;
  const auto& pair = reply.array();
  if (pair.size() != 2) fail(sentinel, "it names no address and port");
  const auto ip = IpAddress::parse(pair[0].text());
  const auto port = parse_port(pair[1].text());
  if (!ip || !port) fail(sentinel, "it names no address and port");
  return Endpoint{*ip, *port};
}

Command authentication(const std::string& password) { return {"AUTH", password}; }

std::string text_of(const std::vector<Command>& commands) {
  std::string text;
  for (const auto& each : commands) text += resp::command(each);
  return text;
}

}  // namespace

Command script(std::string_view lua, const std::vector<std::string>& keys, const std::vector<std::string>& arguments) {
  Command command{"EVAL", std::string(lua), std::to_string(keys.size())};
  command.insert(command.end(), keys.begin(), keys.end());
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

class Client::Work {
 public:
  Work(const config::Cluster& cluster, milliseconds patience, Whom whom)
      : whom_(whom),
        servers_(cluster.redis),
        sentinels_(cluster.sentinels),
        password_(cluster.redis_password_file.empty() ? "" : password_in(cluster.redis_password_file)),
        left_(patience) {
    if (servers_.empty()) throw tool::Failure(tool::config, "cluster: there is no <redis>");
  }

  void grant(milliseconds patience) { left_ = patience; }

  std::vector<Reply> exchange(const std::vector<Command>& commands) {
    const auto started = Clock::now();
    const auto deadline = started + left_;
    try {
      auto replies = exchange_until(commands, deadline);
      left_ -= Clock::now() - started;
      return replies;
    } catch (...) {
      left_ -= Clock::now() - started;
      connection_.reset();
      throw;
    }
  }

 private:
  std::vector<Reply> exchange_until(const std::vector<Command>& commands, Clock::time_point deadline) {
    if (Clock::now() >= deadline) throw tool::Failure(tool::temporary, "ask Redis: no time is left");
    if (connection_ && connection_->is_stale()) connection_.reset();
    std::vector<Command> words;
    const bool fresh = !connection_;
    if (fresh) {
      connection_.emplace(find_master(deadline));
      if (!password_.empty()) words.push_back(authentication(password_));
      words.push_back({"ROLE"});
    }
    const std::size_t greeting = words.size();
    words.insert(words.end(), commands.begin(), commands.end());
    connection_->say(text_of(words));
    auto replies = await(*connection_, words.size(), deadline);
    for (auto& reply : replies) reply = judged(connection_->to(), std::move(reply));
    if (fresh && whom_ == Whom::master) check_role(replies.at(greeting - 1));
    replies.erase(replies.begin(), replies.begin() + static_cast<std::ptrdiff_t>(greeting));
    return replies;
  }

  // A replica would read what is old; what was to be written there it has refused.
  void check_role(const Reply& role) const {
    if (role.array().empty() || role.array()[0].text() != "master") fail(connection_->to(), "it is not master");
  }

  Endpoint find_master(Clock::time_point deadline) {
    if (sentinels_.empty() || whom_ == Whom::anyone) return servers_.front();
    auto asked = ask_sentinels();
    while (!asked.empty()) {
      wait(asked, deadline);
      for (auto each = asked.begin(); each != asked.end();) {
        try {
          const auto master = answer_of(*each);
          if (master) return *master;
          ++each;
        } catch (const tool::Failure& failure) {
          last_ = failure.what();
          each = asked.erase(each);
        }
      }
    }
    throw tool::Failure(tool::temporary,
                        fmt::format("ask the Sentinels of Redis: none names a master; the last: {}", last_));
  }

  std::vector<Sentinel> ask_sentinels() {
    std::vector<Sentinel> asked;
    std::vector<Command> words;
    if (!password_.empty()) words.push_back(authentication(password_));
    words.push_back({"SENTINEL", "get-master-addr-by-name", kMaster});
    for (const auto& each : sentinels_) {
      try {
        asked.push_back({Connection(each), {}});
        asked.back().connection.say(text_of(words));
      } catch (const tool::Failure& failure) {
        last_ = failure.what();
      }
    }
    return asked;
  }

  // Until one of them has said something, or is no more; those go.
  void wait(std::vector<Sentinel>& asked, Clock::time_point deadline) {
    std::vector<pollfd> waits;
    for (const auto& each : asked) waits.push_back(each.connection.waits());
    const int ready = ::poll(waits.data(), waits.size(), left_until(deadline));
    if (ready < 0 && errno != EINTR) tool::fail_errno(tool::temporary, "poll");
    if (ready == 0) throw tool::Failure(tool::temporary, "ask the Sentinels of Redis: none answers in time");
    for (std::size_t i = waits.size(); ready > 0 && i-- > 0;) {
      try {
        asked[i].connection.go_on(waits[i].revents);
      } catch (const tool::Failure& failure) {
        last_ = failure.what();
        asked.erase(asked.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
  }

  // Absent: it has not answered yet. Failure{75}: nothing comes of it.
  std::optional<Endpoint> answer_of(Sentinel& sentinel) const {
    const Endpoint& whom = sentinel.connection.to();
    while (auto reply = sentinel.connection.pop()) sentinel.replies.push_back(judged(whom, std::move(*reply)));
    if (sentinel.replies.size() < (password_.empty() ? 1U : 2U)) return std::nullopt;
    const auto master = named_by(whom, sentinel.replies.back());
    if (!master) fail(whom, "it knows no master");
    if (std::find(servers_.begin(), servers_.end(), *master) == servers_.end())
      fail(whom, fmt::format("it names {}, which is none of <redis>", master->text()));
    return master;
  }

  Whom whom_;
  std::vector<Endpoint> servers_;
  std::vector<Endpoint> sentinels_;
  std::string password_;
  Clock::duration left_;
  std::optional<Connection> connection_;
  std::string last_ = "none";  // why a Sentinel was of no use
};

Client::Client(const config::Cluster& cluster, milliseconds patience, Whom whom)
    : work_(std::make_unique<Work>(cluster, patience, whom)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

void Client::grant(milliseconds patience) { work_->grant(patience); }

std::vector<Reply> Client::ask_all(const std::vector<Command>& commands) { return work_->exchange(commands); }

Reply Client::ask(const Command& command) { return std::move(work_->exchange({command}).front()); }

Reply Client::run(std::string_view lua, const std::vector<std::string>& keys,
                  const std::vector<std::string>& arguments) {
  return ask(script(lua, keys, arguments));
}

std::string password_in(const std::string& path) {
  constexpr std::size_t kMax = 4096;
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file) tool::fail_errno(tool::config, "open " + path);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) tool::fail_errno(tool::os, "fstat " + path);
  if (!S_ISREG(status.st_mode) || status.st_uid != ::geteuid() || (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    throw tool::Failure(tool::config, path + ": must be a file that belongs to root and is for root alone (mode 0600)");
  }
  std::string text = io::read_all(file.get(), kMax, path);
  if (text.ends_with('\n')) text.pop_back();
  if (!is_password(text))
    throw tool::Failure(tool::config, path + ": must hold one line, of 1 to 128 letters, digits and any of -_.+/=");
  return text;
}

bool is_password(std::string_view text) {
  return !text.empty() && text.size() <= 128 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("-_.+/=").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

}  // namespace redis
