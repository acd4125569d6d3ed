#include "base/privilege.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/env.h"
#include "base/failure.h"
#include "base/fd.h"

namespace privilege {
namespace {

constexpr unsigned long kTimerSlack = 50'000;  // ns: the kernel's default

struct Limit {
  int resource;
  rlim_t value;
};
constexpr Limit kLimits[] = {
    {RLIMIT_CORE, 0},       // a core dump would hold what the caller may not know
    {RLIMIT_NOFILE, 1024},  // with too few there is not even a line in the log
    {RLIMIT_STACK, 8 << 20},
    {RLIMIT_NICE, 0},
    {RLIMIT_RTPRIO, 0},
    {RLIMIT_AS, RLIM_INFINITY},
    {RLIMIT_CPU, RLIM_INFINITY},
    {RLIMIT_DATA, RLIM_INFINITY},
    {RLIMIT_FSIZE, RLIM_INFINITY},
    {RLIMIT_LOCKS, RLIM_INFINITY},
    {RLIMIT_MEMLOCK, RLIM_INFINITY},
    {RLIMIT_MSGQUEUE, RLIM_INFINITY},
    {RLIMIT_NPROC, RLIM_INFINITY},
    {RLIMIT_RSS, RLIM_INFINITY},
    {RLIMIT_RTTIME, RLIM_INFINITY},
    {RLIMIT_SIGPENDING, RLIM_INFINITY},
};
static_assert(std::size(kLimits) == RLIM_NLIMITS);

// Where root may not set the limit (no CAP_SYS_RESOURCE), sets it as far as it may.
void set_limit(const Limit& wanted) {
  const auto which = static_cast<__rlimit_resource>(wanted.resource);
  rlimit limit{wanted.value, wanted.value};
  if (::setrlimit(which, &limit) == 0 || ::getrlimit(which, &limit) != 0) return;
  limit.rlim_cur = std::min(wanted.value, limit.rlim_max);
  ::setrlimit(which, &limit);
}

void write_to(const char* path, std::string_view text) {
  const Fd file(::open(path, O_WRONLY | O_CLOEXEC));
  if (file && ::write(file.get(), text.data(), text.size()) < 0) return;  // without the right, or the feature
}

// With stay_setuid sudo leaves us the caller's real uid: the caller could signal us, and iptables does not
// work for a set-uid program. With preserve_groups it leaves us the caller's groups.
void be_root() {
  if (::geteuid() != 0) return;
  uid_t real, effective, saved;
  gid_t real_group, group, saved_group;
  if (::getresuid(&real, &effective, &saved) == 0 && ::getresgid(&real_group, &group, &saved_group) == 0 &&
      (real | saved) == 0 && (real_group | group | saved_group) == 0 && ::getgroups(0, nullptr) == 0)
    return;  // also where we may not change them
  if (::setresgid(0, 0, 0) != 0 || ::setgroups(0, nullptr) != 0 || ::setresuid(0, 0, 0) != 0)
    tool::fail_errno(tool::os, "become root");
}

// The timers first: they send signals. To ignore a signal drops it where it is pending. If CHLD stayed
// ignored, the kernel would collect dead children by itself: then their numbers, which we may still signal,
// could be those of other processes.
void reset_signals() {
  const itimerval none{};
  for (const auto timer : {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF}) ::setitimer(timer, &none, nullptr);
  ::prctl(PR_SET_PDEATHSIG, 0);
  for (int number = 1; number <= SIGRTMAX; ++number) {
    ::signal(number, SIG_IGN);
    if (number != SIGPIPE && number != SIGXCPU && number != SIGXFSZ) ::signal(number, SIG_DFL);
  }
  sigset_t empty;
  sigemptyset(&empty);
  ::sigprocmask(SIG_SETMASK, &empty, nullptr);
}

// As the kernel has it; glibc has had it since 2.41.
struct SchedulingAttributes {
  std::uint32_t size = sizeof(SchedulingAttributes);
  std::uint32_t policy = SCHED_OTHER;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime = 0, deadline = 0, period = 0;
  std::uint32_t utilization_min = ~0U, utilization_max = ~0U;  // -1: the default
};

void reset_share() {
  SchedulingAttributes usual;
  constexpr std::uint64_t kClamps = 0x60;  // SCHED_FLAG_UTIL_CLAMP; not every kernel has it
  usual.flags = kClamps;
  if (::syscall(SYS_sched_setattr, 0, &usual, 0) != 0) {
    usual.flags = 0;
    ::syscall(SYS_sched_setattr, 0, &usual, 0);
  }
  constexpr int kOfProcess = 1;  // IOPRIO_WHO_PROCESS; class "none" follows the nice value
  ::syscall(SYS_ioprio_set, kOfProcess, 0, 0);
  std::array<unsigned long, 1024> all;
  all.fill(~0UL);
  ::syscall(SYS_sched_setaffinity, 0, sizeof all, all.data());
  ::syscall(SYS_set_mempolicy, 0, nullptr, 0);  // MPOL_DEFAULT
  long score = 0;
  std::ifstream("/proc/self/oom_score_adj") >> score;
  if (score > 0) write_to("/proc/self/oom_score_adj", "0");  // a host may have wanted it lower
}

void reset_process() {
  constexpr int kMemoryMerge = 67;  // PR_SET_MEMORY_MERGE, of Linux 6.4
  ::personality(PER_LINUX);
  ::prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
  ::prctl(kMemoryMerge, 0, 0, 0, 0);
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
  ::prctl(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 0, 0);
  ::prctl(PR_SET_TIMERSLACK, kTimerSlack);  // otherwise none of our time limits is kept
  ::prctl(PR_SET_DUMPABLE, 0);              // a core_pattern with a pipe does not ask RLIMIT_CORE
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
  be_root();
  ::umask(077);
  if (::chdir("/") != 0) tool::fail_errno(tool::os, "chdir /");
  reset_signals();
  for (const auto& limit : kLimits) set_limit(limit);
  reset_share();
  reset_process();
}

void keep_only(std::initializer_list<const char*> variables) {
  ::close_range(3, ~0U, 0);
  std::vector<std::pair<std::string, std::string>> kept;
  for (const char* name : variables) {
    if (auto value = env::get(name)) kept.emplace_back(name, std::move(*value));
  }
  ::clearenv();
  for (const auto& [name, value] : kept) ::setenv(name.c_str(), value.c_str(), 1);
}

void own_session() {
  ::setpgid(0, ::getpgid(::getppid()));  // a leader of a process group cannot begin a session
  ::setsid();
  write_to("/proc/self/autogroup", "0");  // where we were a session's leader already
}

void ignore_terminal() {
  for (const int number : {SIGTSTP, SIGTTIN, SIGTTOU, SIGQUIT}) ::signal(number, SIG_IGN);
}

}  // namespace privilege
