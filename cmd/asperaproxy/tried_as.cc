#include "tried_as.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <sstream>

#include <fmt/core.h>

#include "base/await.h"
#include "base/child.h"
#include "base/failure.h"
#include "base/fd.h"
#include "doctor.h"

namespace tried_as {
namespace {

constexpr std::size_t kMaxAnswer = 4096;

struct Identity {
  uid_t uid;
  gid_t gid;
};

Identity identity_of(const std::string& user) {
  const passwd* const entry = ::getpwnam(user.c_str());
  if (!entry) throw tool::Failure(tool::os, fmt::format("user {}: no such account", user));
  return {entry->pw_uid, entry->pw_gid};
}

bool become(const std::string& user, const Identity& identity) {
  return ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && ::initgroups(user.c_str(), identity.gid) == 0 &&
         ::setresgid(identity.gid, identity.gid, identity.gid) == 0 &&
         ::setresuid(identity.uid, identity.uid, identity.uid) == 0 && ::chdir("/") == 0;
}

std::string answer_of(const std::function<std::string()>& question) {
  try {
    return question().substr(0, kMaxAnswer);
  } catch (const std::exception& failure) {
    return std::string(failure.what()).substr(0, kMaxAnswer);
  }
}

// We have no other children by now, and all orphans of that child become ours.
void end_orphans() {
  const pid_t us = ::getpid();
  for (;;) {
    std::istringstream children(doctor::read_file(fmt::format("/proc/{0}/task/{0}/children", us)));
    bool any = false;
    for (pid_t pid = 0; children >> pid; any = true) child::Child(pid).end();
    if (!any) return;
  }
}

}  // namespace

std::string ask(const std::string& user, const std::function<std::string()>& question, std::chrono::seconds patience) {
  const Identity identity = identity_of(user);
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) tool::fail_errno(tool::os, "prctl");
  auto pipe = fd::pipe();
  const pid_t pid = ::fork();
  if (pid < 0) tool::fail_errno(tool::os, "fork");
  if (pid == 0) {
    const std::string answer = become(user, identity) ? answer_of(question) : fmt::format("cannot become {}", user);
    const ssize_t put = ::write(pipe.write.get(), answer.data(), answer.size());
    ::_exit(put < 0 ? 1 : 0);
  }
  child::Child asked(pid);  // killed at the end, whatever it does
  pipe.write.reset();
  std::string answer;
  const auto deadline = Deadline::in(patience);
  for (;;) {
    if (deadline.over() || !await::readable(pipe.read.get(), deadline)) {
      answer = fmt::format("no answer within {} s", patience.count());
      break;
    }
    char chunk[kMaxAnswer];
    const ssize_t got = ::read(pipe.read.get(), chunk, sizeof chunk);
    if (got <= 0) break;
    answer.append(chunk, static_cast<std::size_t>(got));
  }
  asked.end();
  end_orphans();
  return answer;
}

std::vector<std::string> without_access(const std::vector<std::string>& users, const std::string& path) {
  std::vector<std::string> found;
  for (const auto& user : users) {
    if (!::getpwnam(user.c_str())) continue;
    if (!ask(user, [&] { return ::access(path.c_str(), R_OK) == 0 ? "" : "no"; }).empty()) found.push_back(user);
  }
  return found;
}

}  // namespace tried_as
