#include "base/privilege.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>

#include "base/env.h"
#include "base/failure.h"

namespace privilege {
namespace {

constexpr rlim_t kMaxOpenFiles = 1024;
constexpr unsigned long kTimerSlack = 50'000;  // ns: the kernel's default

// Where root may not set the limit (no CAP_SYS_RESOURCE), sets it as far as it may.
void set_limit(int resource, rlim_t value) {
  const auto which = static_cast<__rlimit_resource>(resource);
  rlimit limit{value, value};
  if (::setrlimit(which, &limit) == 0 || ::getrlimit(which, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(which, &limit);
}

[[noreturn]] void fail(const char* why) { throw tool::Failure(tool::not_permitted, why); }

}  // namespace

uid_t sudo_uid() {
  if (::geteuid() != 0) fail("must be run as root, through sudo");
  const auto text = env::get("SUDO_UID");
  if (!text) fail("must be run through sudo: SUDO_UID is not set");
  uid_t uid = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), uid);
  if (error != std::errc{} || end != text->data() + text->size()) fail("SUDO_UID is not a number");
  return uid;
}

void leave_limits() {
  // With stay_setuid sudo leaves us the caller's real uid: the caller could signal us, and iptables does not
  // work for a set-uid program.
  if (::geteuid() == 0 && ::setresuid(0, 0, 0) != 0) tool::fail_errno(tool::os, "setresuid");
  ::umask(077);
  if (::chdir("/") != 0) tool::fail_errno(tool::os, "chdir /");
  for (const int number : {SIGXCPU, SIGXFSZ}) ::signal(number, SIG_IGN);
  // If the caller left it ignored, the kernel collects dead children by itself: then their numbers, which we
  // may still signal, could be those of other processes.
  ::signal(SIGCHLD, SIG_DFL);
  for (const int resource : {RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_AS, RLIMIT_DATA, RLIMIT_NPROC})
    set_limit(resource, RLIM_INFINITY);
  set_limit(RLIMIT_CORE, 0);                // a core dump would hold what the caller may not know
  set_limit(RLIMIT_NOFILE, kMaxOpenFiles);  // with too few there is not even a line in the log
  ::prctl(PR_SET_TIMERSLACK, kTimerSlack);  // otherwise none of our time limits is kept
  const sched_param normal{};
  ::sched_setscheduler(0, SCHED_OTHER, &normal);
  ::setpriority(PRIO_PROCESS, 0, 0);
}

void ignore_terminal() {
  for (const int number : {SIGTSTP, SIGTTIN, SIGTTOU, SIGQUIT}) ::signal(number, SIG_IGN);
}

}  // namespace privilege
