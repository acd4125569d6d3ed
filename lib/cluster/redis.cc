#include "cluster/redis.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

#include <fmt/core.h>

#include "base/accounts.h"
#include "base/aside.h"
#include "base/await.h"
#include "base/child.h"
#include "base/deadline.h"
#include "base/env.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/paths.h"
#include "cluster/redis_password.h"
#include "config/config.h"

namespace redis {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// How long asp-redis may take to start, and to report that the time is over. It normally takes
// neither; one that hangs is given up by then.
constexpr milliseconds kStartTime{500};
constexpr milliseconds kGrace{200};

[[noreturn]] void fail(const std::string& why) { throw tool::Failure(tool::temporary, why); }

// A running asp-redis. After a failure of its own it is of no more use.
class Helper {
 public:
  explicit Helper(const Terms& terms) {
    const auto deadline = Deadline::in(kStartTime);
    if (auto socket = aside::reach("asp-redis")) socket_ = std::move(*socket);
    else start();
    say(message::pack(terms), deadline);
    if (!hear(deadline).is_nil()) fail("asp-redis does not say that it is ready");
  }

  Answer ask(const Question& question) {
    const auto deadline = Deadline::at(question.deadline + kGrace);
    say(message::pack(question), deadline);
    Answer answer = message::answer_in(hear(deadline));
    const bool whole = !answer.failure.empty() || answer.replies.size() == question.commands.size();
    if (!whole || !heard_.empty()) fail("asp-redis answers something else than it was asked");
    return answer;
  }

 private:
  void start() {
    auto ends = fd::socket_pair();
    const Fd null = fd::open("/dev/null", O_RDWR);
    child::Program program{
        {std::string(paths::kLibexec) + "asp-redis"},
        env::allow({}),
        {{ends.write.get(), STDIN_FILENO}, {ends.write.get(), STDOUT_FILENO}, {null.get(), STDERR_FILENO}}};
    if (::geteuid() == 0) program.identity = accounts::identity_of(paths::kDialAccount);
    program.start_within = kStartTime;
    child_ = child::spawn(program);
    ends.write.reset();  // otherwise we would not see it end
    socket_ = std::move(ends.read);
  }

  void wait_for(short events, const Deadline& deadline) const {
    await::On socket(socket_.get(), events);
    if (!await::any(deadline, socket) || deadline.over()) fail("asp-redis does not answer in time");
  }

  void say(std::string_view text, const Deadline& deadline) {
    while (!text.empty()) {
      const ssize_t sent = ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent >= 0) text.remove_prefix(static_cast<std::size_t>(sent));
      else if (errno == EAGAIN) wait_for(POLLOUT, deadline);
      else if (errno != EINTR) fail_ended();
    }
  }

  Reply hear(const Deadline& deadline) {
    char bytes[65536];
    for (;;) {
      if (auto value = heard_.pop()) return std::move(*value);
      wait_for(POLLIN, deadline);
      const ssize_t got = ::recv(socket_.get(), bytes, sizeof bytes, MSG_DONTWAIT);
      if (got > 0) heard_.add({bytes, static_cast<std::size_t>(got)});
      else if (got == 0 || (errno != EAGAIN && errno != EINTR)) fail_ended();
    }
  }

  [[noreturn]] void fail_ended() {
    if (!child_) fail("asp-redis hung up; its unit's log may say why");
    const auto status = child_.wait_at_most(kGrace);  // it ends just after its descriptors are closed
    fail(status ? fmt::format("asp-redis ended with status {}", *status) : "asp-redis hung up");
  }

  child::Child child_;  // none where systemd has started it
  Fd socket_;
  message::Inbox heard_;
};

}  // namespace

Command script(std::string_view lua, const std::vector<std::string>& keys, const std::vector<std::string>& arguments) {
  Command command{"EVAL", std::string(lua), std::to_string(keys.size())};
  command.insert(command.end(), keys.begin(), keys.end());
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

class Client::Work {
 public:
  Work(const config::Cluster& cluster, milliseconds patience, Ask ask)
      : terms_{ask == Ask::anyone, cluster.redis, cluster.sentinels,
               cluster.redis_password_file.empty() ? "" : password_in(cluster.redis_password_file)},
        left_(patience) {
    if (cluster.redis.empty()) throw tool::Failure(tool::config, "cluster: there is no <redis>");
  }

  void grant(milliseconds patience) { left_ = patience; }

  std::vector<Reply> exchange(const std::vector<Command>& commands) {
    if (left_ <= Clock::duration::zero()) fail("ask Redis: no time is left");
    Answer answer = answer_to(commands);
    if (!answer.failure.empty()) fail(answer.failure);
    return std::move(answer.replies);
  }

 private:
  // Returns the replies, or the reason why there is no asp-redis.
  Answer answer_to(const std::vector<Command>& commands) {
    try {
      if (!helper_) helper_.emplace(terms_);
      const auto started = Clock::now();
      Answer answer = helper_->ask({started + left_, commands});
      left_ -= Clock::now() - started;
      return answer;
    } catch (const tool::Failure& failure) {
      helper_.reset();
      left_ = {};
      return {fmt::format("ask Redis: {}", failure.what()), {}};
    }
  }

  Terms terms_;
  Clock::duration left_;
  std::optional<Helper> helper_;
};

Client::Client(const config::Cluster& cluster, milliseconds patience, Ask ask)
    : work_(std::make_unique<Work>(cluster, patience, ask)) {}
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

}  // namespace redis
