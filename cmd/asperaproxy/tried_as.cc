#include "tried_as.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <chrono>

#include <fmt/core.h>

#include "env.h"
#include "fd.h"
#include "io.h"
#include "tool.h"

namespace tried_as {
namespace {

constexpr int kSeconds = 5;
constexpr std::size_t kMaxAnswer = 4096;
constexpr std::size_t kMaxOutput = 64 * 1024;
constexpr char kSetpriv[] = "/usr/bin/setpriv";

struct Identity {
  uid_t uid;
  gid_t gid;
};

Identity identity_of(const std::string& user) {
  const passwd* const entry = ::getpwnam(user.c_str());
  if (!entry) throw tool::Failure(tool::os, fmt::format("user {}: no such account", user));
  return {entry->pw_uid, entry->pw_gid};
}

bool become(const std::string& user, const Identity& who) {
  return ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && ::initgroups(user.c_str(), who.gid) == 0 && ::setresgid(who.gid, who.gid, who.gid) == 0 &&
         ::setresuid(who.uid, who.uid, who.uid) == 0 && ::chdir("/") == 0;
}

std::string answer_of(const std::function<std::string()>& question) {
  try {
    return question().substr(0, kMaxAnswer);
  } catch (const std::exception& failure) {
    return std::string(failure.what()).substr(0, kMaxAnswer);
  }
}

}  // namespace

std::string ask(const std::string& user, const std::function<std::string()>& question) {
  const Identity who = identity_of(user);
  auto pipe = fd::pipe();
  const pid_t pid = ::fork();
  if (pid < 0) tool::fail_errno(tool::os, "fork");
  if (pid == 0) {
    const std::string answer = become(user, who) ? answer_of(question) : fmt::format("cannot become {}", user);
    const ssize_t put = ::write(pipe.write.get(), answer.data(), answer.size());
    ::_exit(put < 0 ? 1 : 0);
  }
  child::Child asked(pid);  // killed at the end, whatever it does
  pipe.write.reset();
  std::string answer;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(kSeconds);
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd wait{pipe.read.get(), POLLIN, 0};
    if (left <= 0 || ::poll(&wait, 1, static_cast<int>(left)) <= 0) return fmt::format("no answer within {} s", kSeconds);
    char chunk[kMaxAnswer];
    const ssize_t got = ::read(pipe.read.get(), chunk, sizeof chunk);
    if (got <= 0) return answer;
    answer.append(chunk, static_cast<std::size_t>(got));
  }
}

child::Output run(const std::string& user, const std::vector<std::string>& argv) {
  const Identity who = identity_of(user);
  std::vector<std::string> all{kSetpriv, "--reuid", std::to_string(who.uid), "--regid", std::to_string(who.gid), "--init-groups", "--"};
  all.insert(all.end(), argv.begin(), argv.end());
  return child::run({all, env::allow({}), {}}, "", kMaxOutput, kSeconds);
}

}  // namespace tried_as
