#include <doctest/doctest.h>

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
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>

#include "base/privilege.h"
#include "watched.h"

namespace {

constexpr int kIsTrue = 0, kIsFalse = 1, kCannot = 2;

std::string text_of(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool write_to(const char* path, const char* text) {
  std::ofstream file(path);
  file << text << std::flush;
  return file.good();
}

// A process whose parent did `hostile` to it (false: this kernel cannot), then leave_limits(): is it `well`?
void freed(const std::string& name, const std::function<bool()>& hostile, const std::function<bool()>& well) {
  CAPTURE(name);
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (!hostile() || well()) ::_exit(kCannot);
    privilege::leave_limits();
    ::_exit(well() ? kIsTrue : kIsFalse);
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kCannot) MESSAGE(name, ": cannot be had here");
  CHECK(WEXITSTATUS(status) != kIsFalse);
}

// What this parent hands down by exec must be as it was; so all of it happens in children.
bool root() {
  if (::geteuid() == 0) return true;
  MESSAGE("needs root");
  return false;
}

}  // namespace

TEST_CASE("privilege: identity, groups, umask and directory are root's own") {
  if (!root()) return;
  freed(
      "real uid", [] { return ::setresuid(65534, 0, 0) == 0; }, [] { return ::getuid() == 0; });
  freed(
      "saved uid", [] { return ::setresuid(0, 0, 65534) == 0; },
      [] {
        uid_t real, effective, saved;
        return ::getresuid(&real, &effective, &saved) == 0 && saved == 0;
      });
  freed(
      "gid", [] { return ::setresgid(65534, 65534, 65534) == 0; }, [] { return ::getgid() == 0 && ::getegid() == 0; });
  freed(
      "other groups",
      [] {
        const gid_t group = 65534;
        return ::setgroups(1, &group) == 0;
      },
      [] { return ::getgroups(0, nullptr) == 0; });
  freed(
      "umask", [] { return ::umask(0), true; },
      [] {
        const mode_t mask = ::umask(077);
        ::umask(mask);
        return mask == 077;
      });
  freed(
      "directory", [] { return ::chdir("/tmp") == 0; },
      [] {
        std::array<char, 64> at{};
        return ::getcwd(at.data(), at.size()) != nullptr && std::string(at.data()) == "/";
      });
}

TEST_CASE("privilege: no signal is pending, blocked or ignored, and none comes later") {
  if (!root()) return;
  const auto mask = [](auto change) {
    sigset_t set;
    sigfillset(&set);
    return change(set);
  };
  freed(
      "blocked signals",
      [&] { return mask([](sigset_t& set) { return ::sigprocmask(SIG_SETMASK, &set, nullptr); }) == 0; },
      [] {
        sigset_t now;
        ::sigprocmask(SIG_SETMASK, nullptr, &now);
        return ::sigisemptyset(&now) == 1;
      });
  for (const int number : {SIGTERM, SIGALRM, SIGUSR1, SIGRTMIN, SIGRTMAX}) {
    freed(
        "a pending signal",
        [=] {
          sigset_t set;
          sigemptyset(&set);
          sigaddset(&set, number);
          return ::sigprocmask(SIG_SETMASK, &set, nullptr) == 0 && ::raise(number) == 0;
        },
        [] {
          sigset_t now;
          ::sigpending(&now);
          return ::sigisemptyset(&now) == 1;
        });
  }
  for (const int number : {SIGCHLD, SIGTERM, SIGHUP, SIGALRM, SIGRTMAX}) {
    freed(
        "an ignored signal", [=] { return ::signal(number, SIG_IGN) != SIG_ERR; },
        [=] {
          struct sigaction now {};
          return ::sigaction(number, nullptr, &now) == 0 && now.sa_handler == SIG_DFL;
        });
  }
  for (const int number : {SIGPIPE, SIGXCPU, SIGXFSZ}) {
    freed(
        "a signal that is to be ignored", [=] { return ::signal(number, SIG_DFL) != SIG_ERR; },
        [=] {
          struct sigaction now {};
          return ::sigaction(number, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
        });
  }
  for (const auto timer : {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF}) {
    freed(
        "a timer",
        [=] {
          const itimerval soon{{1, 0}, {1000, 0}};
          return ::setitimer(timer, &soon, nullptr) == 0;
        },
        [=] {
          itimerval now{};
          return ::getitimer(timer, &now) == 0 && now.it_value.tv_sec == 0 && now.it_interval.tv_sec == 0;
        });
  }
  freed(
      "a signal when the parent dies", [] { return ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0; },
      [] {
        int number = -1;
        return ::prctl(PR_GET_PDEATHSIG, &number) == 0 && number == 0;
      });
}

TEST_CASE("privilege: every resource limit is set anew") {
  if (!root()) return;
  // Without CAP_SYS_RESOURCE not even root can raise a hard limit.
  for (const int resource : {RLIMIT_NICE, RLIMIT_RTPRIO, RLIMIT_CORE}) {
    const auto which = static_cast<__rlimit_resource>(resource);
    CAPTURE(resource);
    freed(
        "a limit that gives something",
        [=] {
          const rlimit much{20, 20};
          return ::setrlimit(which, &much) == 0;
        },
        [=] {
          rlimit now{};
          return ::getrlimit(which, &now) == 0 && now.rlim_cur == 0 && now.rlim_max == 0;
        });
  }
  for (const int resource :
       {RLIMIT_AS, RLIMIT_CPU, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_LOCKS, RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE, RLIMIT_NOFILE,
        RLIMIT_NPROC, RLIMIT_RSS, RLIMIT_RTTIME, RLIMIT_SIGPENDING, RLIMIT_STACK}) {
    const auto which = static_cast<__rlimit_resource>(resource);
    CAPTURE(resource);
    rlimit before{};
    REQUIRE(::getrlimit(which, &before) == 0);
    const rlim_t enough = resource == RLIMIT_NOFILE ? 1024 : resource == RLIMIT_STACK ? 8 << 20 : before.rlim_max;
    freed(
        "a limit",
        [=] {
          // Little, but enough to get so far.
          const bool memory = resource == RLIMIT_AS || resource == RLIMIT_DATA;
          const rlimit little{resource == RLIMIT_NOFILE ? 20 : memory ? rlim_t{1} << 40 : 50'000, before.rlim_max};
          return ::setrlimit(which, &little) == 0;
        },
        [=] {
          rlimit now{};
          return ::getrlimit(which, &now) == 0 && now.rlim_cur == enough;
        });
  }
}

TEST_CASE("privilege: the share of CPU, disk and memory is the usual one") {
  if (!root()) return;
  freed(
      "a nice value", [] { return ::setpriority(PRIO_PROCESS, 0, 19) == 0; },
      [] { return ::getpriority(PRIO_PROCESS, 0) == 0; });
  for (const int policy : {SCHED_BATCH, SCHED_IDLE, SCHED_RR}) {
    freed(
        "a scheduling policy",
        [=] {
          sched_param of{};
          of.sched_priority = policy == SCHED_RR ? 1 : 0;
          return ::sched_setscheduler(0, policy | SCHED_RESET_ON_FORK, &of) == 0;
        },
        [] { return ::sched_getscheduler(0) == SCHED_OTHER; });
  }
  struct Attributes {
    std::uint32_t size, policy;
    std::uint64_t flags;
    std::int32_t nice;
    std::uint32_t priority;
    std::uint64_t runtime, deadline, period;
    std::uint32_t least, most;
  };
  const auto attributes = [] {
    Attributes now{};
    ::syscall(SYS_sched_getattr, 0, &now, sizeof now, 0);
    return now;
  };
  freed(
      "a clamp on utilization",
      [] {
        Attributes slow{sizeof(Attributes), 0, 0x40, 0, 0, 0, 0, 0, 0, 1};
        return ::syscall(SYS_sched_setattr, 0, &slow, 0) == 0;
      },
      [=] { return attributes().most == 1024; });
  freed(
      "a long slice",
      [=] {
        Attributes slow{sizeof(Attributes), 0, 0, 0, 0, 100'000'000, 0, 0, 0, 0};
        return ::syscall(SYS_sched_setattr, 0, &slow, 0) == 0 && attributes().runtime == 100'000'000;
      },
      [=] { return attributes().runtime != 100'000'000; });
  constexpr int kIdle = 3 << 13;
  freed(
      "an I/O class", [] { return ::syscall(SYS_ioprio_set, 1, 0, kIdle) == 0; },
      [] { return (::syscall(SYS_ioprio_get, 1, 0) >> 13) != 3; });
  cpu_set_t before;
  ::sched_getaffinity(0, sizeof before, &before);
  freed(
      "one CPU",
      [] {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(0, &one);
        return ::sched_setaffinity(0, sizeof one, &one) == 0;
      },
      [=] {
        cpu_set_t now;
        return ::sched_getaffinity(0, sizeof now, &now) == 0 && CPU_EQUAL(&now, &before);
      });
  freed(
      "a memory policy",
      [] {
        const unsigned long node = 1;
        return ::syscall(SYS_set_mempolicy, 2, &node, 8) == 0;
      },
      [] {
        int mode = -1;
        return ::syscall(SYS_get_mempolicy, &mode, nullptr, 0, nullptr, 0) == 0 && mode == 0;
      });
  freed(
      "the OOM killer's choice", [] { return write_to("/proc/self/oom_score_adj", "1000"); },
      [] { return text_of("/proc/self/oom_score_adj") == "0\n"; });
  freed(
      "timer slack", [] { return ::prctl(PR_SET_TIMERSLACK, 4'000'000'000UL) == 0; },
      [] { return ::prctl(PR_GET_TIMERSLACK) == 50'000; });
}

TEST_CASE("privilege: the process is as any other, and nobody can look into it") {
  if (!root()) return;
  for (const unsigned long flags : {0x0020000UL, 0x0040000UL, 0x4000000UL, 0x0008UL})
    freed(
        "a personality", [=] { return ::personality(flags) != -1; },
        [] { return ::personality(0xffffffff) == PER_LINUX; });
  freed(
      "no huge pages", [] { return ::prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0; },
      [] { return ::prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 0; });
  // AddressSanitizer's shadow is so large that to take it out of the merging lasts a minute.
  if (!watched())
    freed(
        "merged pages", [] { return ::prctl(67, 1, 0, 0, 0) == 0; }, [] { return ::prctl(68, 0, 0, 0, 0) == 0; });
  freed(
      "orphans of the caller's", [] { return ::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0; },
      [] {
        int on = 1;
        return ::prctl(PR_GET_CHILD_SUBREAPER, &on) == 0 && on == 0;
      });
  freed(
      "a failure policy", [] { return ::prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0) == 0; },
      [] { return ::prctl(PR_MCE_KILL_GET, 0, 0, 0, 0) == PR_MCE_KILL_DEFAULT; });
  freed(
      "dumpable", [] { return ::prctl(PR_SET_DUMPABLE, 1) == 0; }, [] { return ::prctl(PR_GET_DUMPABLE) == 0; });
}

TEST_CASE("privilege: of descriptors and environment only what is named is kept") {
  const pid_t pid = ::fork();
  if (pid == 0) {
    for (const char* name : {"TZ", "LC_ALL", "MALLOC_PERTURB_", "GCONV_PATH", "LISTEN_FDS", "SUDO_COMMAND", "X"})
      ::setenv(name, "x", 1);
    ::setenv("SUDO_UID", "7", 1);
    ::setenv("SUDO_USER", "a\nb", 1);
    const int spare = ::open("/dev/null", O_RDONLY);
    const int high = ::fcntl(spare, F_DUPFD, 500);
    privilege::keep_only({"SUDO_UID", "SUDO_USER", "TERM"});
    const bool closed = ::fcntl(spare, F_GETFD) < 0 && ::fcntl(high, F_GETFD) < 0 && ::fcntl(2, F_GETFD) >= 0;
    const char* const uid = std::getenv("SUDO_UID");
    int count = 0;
    for (char** each = environ; each && *each; ++each) count += std::string(*each).starts_with("TERM=") ? 0 : 1;
    ::_exit(closed && uid && std::string(uid) == "7" && count == 1 ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  CHECK(status == 0);
}
