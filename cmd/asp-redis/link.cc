#include "link.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include <fmt/core.h>

#include "base/await.h"
#include "base/deadline.h"
#include "base/failure.h"
#include "base/fd.h"
#include "resp.h"

namespace {

using redis::Command;
using redis::Reply;

constexpr char kMasterName[] = "sallyport";  // as in sentinel.conf

[[noreturn]] void fail(const Endpoint& server, std::string_view why) {
  throw tool::Failure(tool::temporary, fmt::format("ask Redis {}: {}", server.text(), why));
}

// A TCP connection, which is only waited for until a deadline, from the beginning.
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
  await::On awaited() const {
    return await::On(fd_.get(), static_cast<short>(unsent_.empty() ? POLLIN : POLLIN | POLLOUT));
  }
  // True if Redis has closed it, or sent something that nobody asked for.
  bool is_stale() const { return await::readable(fd_.get(), Deadline::now()); }

  // Begins an exchange; the previous one must be over.
  void say(std::string text) {
    unsent_ = std::move(text);
    heard_ = {};
  }
  // Sends and receives what was found possible. Failure{75}.
  void go_on(const await::On& found) {
    if (found.has(POLLOUT)) send();
    if (found.has(POLLIN | POLLHUP | POLLERR)) receive();
  }
  // An error of Redis: Failure{75}.
  std::optional<Reply> pop() {
    auto answer = heard_.pop();
    if (!answer) return std::nullopt;
    if (const auto* error = std::get_if<resp::Error>(&*answer)) fail(to_, error->text);
    return std::move(std::get<Reply>(*answer));
  }
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

// Waits until `count` answers are here.
std::vector<Reply> await_replies(Connection& connection, std::size_t count, const Deadline& deadline) {
  std::vector<Reply> replies;
  for (;;) {
    while (replies.size() < count) {
      auto reply = connection.pop();
      if (!reply) break;
      replies.push_back(std::move(*reply));
    }
    if (replies.size() == count) break;
    await::On socket = connection.awaited();
    if (!await::any(deadline, socket)) fail(connection.to(), "it does not answer in time");
    connection.go_on(socket);
  }
  if (!connection.said_all()) fail(connection.to(), "it says more than it was asked");
  return replies;
}

// A Sentinel, and its answer so far.
struct Sentinel {
  Connection connection;
  std::vector<Reply> replies;
};

// Absent: it knows no master.
std::optional<Endpoint> named_by(const Endpoint& sentinel, const Reply& reply) {
  if (reply.is_nil()) return std::nullopt;
  const auto& pair = reply.array();
  if (pair.size() != 2) fail(sentinel, "it names no address and port");
  const auto ip = IpAddress::parse(pair[0].text());
  const auto port = parse_port(pair[1].text());
  if (!ip || !port) fail(sentinel, "it names no address and port");
  return Endpoint{*ip, *port};
}

std::string text_of(const std::vector<Command>& commands) {
  std::string text;
  for (const auto& each : commands) text += resp::command(each);
  return text;
}

}  // namespace

class Link::Work {
 public:
  explicit Work(redis::Terms terms) : terms_(std::move(terms)) {}

  std::vector<Reply> exchange(const redis::Question& question) {
    try {
      return exchange_until(question.commands, Deadline::at(question.deadline));
    } catch (...) {
      connection_.reset();
      throw;
    }
  }

 private:
  std::vector<Reply> exchange_until(const std::vector<Command>& commands, const Deadline& deadline) {
    if (connection_ && connection_->is_stale()) connection_.reset();
    std::vector<Command> words;
    const bool fresh = !connection_;
    if (fresh) {
      connection_.emplace(find_master(deadline));
      words = greeting();
      words.push_back({"ROLE"});
    }
    const std::size_t greeted = words.size();
    words.insert(words.end(), commands.begin(), commands.end());
    connection_->say(text_of(words));
    auto replies = await_replies(*connection_, words.size(), deadline);
    if (fresh && !terms_.any_server) check_role(replies.at(greeted - 1));
    replies.erase(replies.begin(), replies.begin() + static_cast<std::ptrdiff_t>(greeted));
    return replies;
  }

  std::vector<Command> greeting() const {
    if (terms_.password.empty()) return {};
    return {{"AUTH", terms_.password}};
  }

  // A replica would return old data; it has refused writes already.
  void check_role(const Reply& role) const {
    if (role.array().empty() || role.array()[0].text() != "master") fail(connection_->to(), "it is not master");
  }

  Endpoint find_master(const Deadline& deadline) {
    if (terms_.sentinels.empty() || terms_.any_server) return terms_.servers.front();
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
    std::vector<Command> words = greeting();
    words.push_back({"SENTINEL", "get-master-addr-by-name", kMasterName});
    for (const auto& each : terms_.sentinels) {
      try {
        asked.push_back({Connection(each), {}});
        asked.back().connection.say(text_of(words));
      } catch (const tool::Failure& failure) {
        last_ = failure.what();
      }
    }
    return asked;
  }

  // Waits until one of them has answered or failed; those that failed are removed.
  void wait(std::vector<Sentinel>& asked, const Deadline& deadline) {
    std::vector<await::On> sockets;
    for (const auto& each : asked) sockets.push_back(each.connection.awaited());
    if (!await::any(deadline, sockets))
      throw tool::Failure(tool::temporary, "ask the Sentinels of Redis: none answers in time");
    for (std::size_t i = sockets.size(); i-- > 0;) {
      try {
        asked[i].connection.go_on(sockets[i]);
      } catch (const tool::Failure& failure) {
        last_ = failure.what();
        asked.erase(asked.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
  }

  // Absent: it has not answered yet. Failure{75}: its answer is of no use.
  std::optional<Endpoint> answer_of(Sentinel& sentinel) const {
    const Endpoint& server = sentinel.connection.to();
    while (auto reply = sentinel.connection.pop()) sentinel.replies.push_back(std::move(*reply));
    if (sentinel.replies.size() < (terms_.password.empty() ? 1U : 2U)) return std::nullopt;
    const auto master = named_by(server, sentinel.replies.back());
    if (!master) fail(server, "it knows no master");
    if (std::find(terms_.servers.begin(), terms_.servers.end(), *master) == terms_.servers.end())
      fail(server, fmt::format("it names {}, which is not in <redis>", master->text()));
    return master;
  }

  redis::Terms terms_;
  std::optional<Connection> connection_;
  std::string last_ = "none";  // why a Sentinel was of no use
};

Link::Link(redis::Terms terms) : work_(std::make_unique<Work>(std::move(terms))) {}
Link::~Link() = default;

std::vector<Reply> Link::exchange(const redis::Question& question) { return work_->exchange(question); }
