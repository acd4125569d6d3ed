#include <doctest/doctest.h>

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "base/accounts.h"
#include "base/child.h"
#include "base/confine.h"
#include "base/confine_phases.h"
#include "base/deadline.h"
#include "base/fd.h"
#include "base/io.h"
#include "watched.h"

namespace {

const bool kConfines = !watched();

// What becomes of a process that is confined, and then acts: its exit status, or 128 + the signal's number.
int end_of(const std::function<void()>& confined, const std::function<int()>& act) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_DUMPABLE, 0);  // no core
    confined();
    ::_exit(act());
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return child::status_of(status);
}

struct Call {
  const char* name;
  long number;
  long first = 0, second = 0;
};

// All of these kill.
void forbids(const std::function<void()>& confined, const std::vector<Call>& calls) {
  for (const auto& call : calls) {
    CAPTURE(call.name);
    CHECK(end_of(confined, [&] { return ::syscall(call.number, call.first, call.second, 0, 0, 0) == 0 ? 0 : 1; }) ==
          128 + SIGSYS);
  }
}

const std::vector<Call> kReachesInto = {
    {"ptrace", SYS_ptrace, 16, 1},
    {"process_vm_readv", SYS_process_vm_readv, 1},
    {"process_vm_writev", SYS_process_vm_writev, 1},
    {"pidfd_getfd", SYS_pidfd_getfd},
    {"bpf", SYS_bpf},
    {"perf_event_open", SYS_perf_event_open},
    {"userfaultfd", SYS_userfaultfd},
    {"io_uring_setup", SYS_io_uring_setup},
    {"keyctl", SYS_keyctl},
    {"add_key", SYS_add_key},
    {"mount", SYS_mount},
    {"umount2", SYS_umount2},
    {"move_mount", SYS_move_mount},
    {"fsopen", SYS_fsopen},
    {"open_tree", SYS_open_tree},
    {"pivot_root", SYS_pivot_root},
    {"chroot", SYS_chroot},
    {"setns", SYS_setns},
    {"unshare", SYS_unshare, CLONE_NEWUSER},
    {"clone in a user namespace", SYS_clone, CLONE_NEWUSER | SIGCHLD},
    {"clone in two", SYS_clone, CLONE_NEWUSER | CLONE_NEWPID | SIGCHLD},
    {"clone in a network namespace", SYS_clone, CLONE_NEWNET | SIGCHLD},
    {"clone in a mount namespace", SYS_clone, CLONE_NEWNS | SIGCHLD},
    {"kexec_load", SYS_kexec_load},
    {"open_by_handle_at", SYS_open_by_handle_at},
    {"reboot", SYS_reboot},
    {"swapon", SYS_swapon},
    {"settimeofday", SYS_settimeofday},
    {"syslog", SYS_syslog},
};

const std::vector<Call> kOfOthers = {
    {"execve", SYS_execve},
    {"execveat", SYS_execveat},
    {"clone", SYS_clone, SIGCHLD},
    {"clone3", SYS_clone3},
    {"kill", SYS_kill, 1},
    {"kill all", SYS_kill, -1},
    {"tkill", SYS_tkill, 1},
    {"tgkill", SYS_tgkill, 1, 1},
    {"pidfd_open", SYS_pidfd_open, 1},
    {"pidfd_send_signal", SYS_pidfd_send_signal},
    {"prlimit64", SYS_prlimit64, 1},
    {"setpriority", SYS_setpriority, 0, 1},
    {"sched_setaffinity", SYS_sched_setaffinity, 1},
    {"sched_setscheduler", SYS_sched_setscheduler, 1},
    {"ioprio_set", SYS_ioprio_set, 1},
    {"prctl", SYS_prctl, PR_SET_DUMPABLE, 1},
    {"setuid", SYS_setuid},
    {"capset", SYS_capset},
    {"memfd_create", SYS_memfd_create},
    {"shmget", SYS_shmget},
    {"listen", SYS_listen},
    {"mkdirat", SYS_mkdirat},
    {"linkat", SYS_linkat},
    {"symlinkat", SYS_symlinkat},
    {"renameat2", SYS_renameat2},
    {"fchmodat", SYS_fchmodat},
    {"fchownat", SYS_fchownat},
    {"truncate", SYS_truncate},
    {"utimensat", SYS_utimensat},
    {"inotify_init1", SYS_inotify_init1},
    {"socketpair", SYS_socketpair, AF_UNIX, SOCK_STREAM},
    {"netlink socket of another kind", SYS_socket, AF_PACKET, SOCK_RAW},
};

std::string line_of(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name + ":\t")) return line.substr(name.size() + 2);
  }
  return {};
}

bool can_open(const char* path, int flags) { return static_cast<bool>(Fd(::open(path, flags | O_CLOEXEC, 0600))); }

}  // namespace

TEST_CASE("confine: only the capabilities that are named are left, also to programs") {
  if (::geteuid() != 0) return;
  const auto confined = [] {
    const int kept[] = {CAP_KILL};
    confine::keep_capabilities(kept);
  };
  const std::string wanted = "0000000000000020";
  CHECK(end_of(confined, [&] {
          for (const char* set : {"CapEff", "CapPrm", "CapBnd"}) {
            if (line_of(set) != wanted) return 1;
          }
          for (const char* set : {"CapInh", "CapAmb"}) {
            if (line_of(set) != "0000000000000000") return 2;
          }
          return line_of("NoNewPrivs") == "1" ? 0 : 3;
        }) == 0);
  CHECK(end_of(confined, [&] {
          const auto run = child::run({{"/bin/grep", "^CapEff", "/proc/self/status"}, {}, {}}, "", 100, 5);
          return run.out == "CapEff:\t" + wanted + "\n" ? 0 : 1;
        }) == 0);
  CHECK(end_of([] { confine::keep_capabilities({}); }, [] { return ::setuid(65534) == 0 ? 1 : 0; }) == 0);
}

TEST_CASE("confine: what is dangerous kills, for a program that is run as well, and the rest works") {
  if (!kConfines) return;
  forbids(confine::forbid_dangerous, kReachesInto);
  CHECK(end_of(confine::forbid_dangerous, [] {
          const auto run = child::run({{"/usr/bin/unshare", "-U", "true"}, {}, {}}, "", 100, 5);
          return run.status;
        }) == 128 + SIGSYS);
  CHECK(end_of(confine::forbid_dangerous, [] {
          return child::run({{"/bin/sh", "-c", "cat < /etc/passwd > /dev/null; sleep 0 & wait"}, {}, {}}, "", 100, 5)
              .status;
        }) == 0);
  CHECK(end_of(confine::forbid_dangerous,
               [] { return ::syscall(SYS_clone3, nullptr, 0) < 0 && errno == ENOSYS ? 0 : 1; }) == 0);
}

TEST_CASE("confine: a dialer that is logged in has its descriptors, and no more") {
  if (!kConfines) return;
  const auto logged_in = [] { confine::allow_only({confine::kLoggedInDial}); };
  forbids(logged_in, kReachesInto);
  forbids(logged_in, kOfOthers);
  forbids(logged_in, {{"socket", SYS_socket, AF_INET, SOCK_STREAM},
                      {"socket to the log", SYS_socket, AF_UNIX, SOCK_DGRAM},
                      {"connect", SYS_connect, 0},
                      {"bind", SYS_bind, 0},
                      {"unlinkat", SYS_unlinkat},
                      {"wait4", SYS_wait4, -1}});
  auto pair = fd::socket_pair();
  CHECK(end_of(logged_in, [&] {
          if (can_open("/etc/passwd", O_RDONLY) || errno != EACCES) return 1;
          char byte = 'x';
          pollfd ready{pair.read.get(), POLLIN, 0};
          if (::send(pair.write.get(), &byte, 1, 0) != 1 || ::poll(&ready, 1, 1000) != 1) return 2;
          if (::read(pair.read.get(), &byte, 1) != 1) return 3;
          const std::string much(1 << 20, 'x');  // memory
          return Deadline::in(std::chrono::seconds(1)).over() ? 4 : 0;
        }) == 0);
  CHECK(end_of(logged_in, [] {
          ::signal(SIGABRT, SIG_DFL);
          ::abort();
          return 0;
        }) == 128 + SIGABRT);
}

TEST_CASE("confine: asp-redis makes connections over TCP, and of no other kind") {
  if (!kConfines) return;
  const auto from_start = [] { confine::allow_only({confine::kRedis, {AF_INET, AF_INET6}}); };
  forbids(from_start, kReachesInto);
  forbids(from_start, kOfOthers);
  forbids(from_start, {{"Unix socket", SYS_socket, AF_UNIX, SOCK_STREAM},
                       {"netlink", SYS_socket, AF_NETLINK, SOCK_RAW},
                       {"bind", SYS_bind, 0}});
  for (const int family : {AF_INET, AF_INET6})
    CHECK(end_of(from_start, [&] { return ::socket(family, SOCK_STREAM, 0) < 0 && errno != EAFNOSUPPORT ? 1 : 0; }) ==
          0);
}

TEST_CASE("confine: asp-upstream that is connected ends its own dialer, and nobody else") {
  if (!kConfines) return;
  const auto victim = child::spawn({{"/bin/sleep", "60"}, {}, {}});
  const auto connected = [&] {
    confine::allow_only({confine::kConnectedUpstreamCalls, {AF_UNIX, AF_NETLINK}, victim.pid()});
  };
  forbids(connected, kReachesInto);
  forbids(connected, kOfOthers);
  forbids(connected, {{"TCP", SYS_socket, AF_INET, SOCK_STREAM}});
  CHECK(end_of(connected, [&] { return ::kill(victim.pid(), 0); }) == 0);
  CHECK(end_of(connected, [] { return ::kill(::getppid(), 0); }) == 128 + SIGSYS);
  CHECK(end_of(connected, [] { return can_open("/etc/localtime", O_RDONLY) || errno == ENOENT ? 0 : 1; }) == 0);
}

TEST_CASE("confine: files are read below what is named, and none is written, made or run") {
  if (!kConfines) return;
  if (::syscall(SYS_landlock_create_ruleset, nullptr, 0, 1) < 1) {
    MESSAGE("this kernel has no Landlock");
    return;
  }
  const auto confined = [] { confine::see_only({"/etc", "/proc/self/status", "/nonexistent"}); };
  CHECK(end_of(confined, [] {
          if (!can_open("/etc/passwd", O_RDONLY) || !can_open("/dev/null", O_RDWR)) return 1;
          if (can_open("/proc/version", O_RDONLY) || can_open("/usr/bin/env", O_RDONLY)) return 2;
          if (can_open("/etc/sallyport-test", O_WRONLY | O_CREAT) ||
              can_open("/tmp/sallyport-test", O_WRONLY | O_CREAT))
            return 3;
          if (::mkdir("/tmp/sallyport-test", 0700) == 0 || ::symlink("x", "/tmp/sallyport-test") == 0) return 4;
          ::execl("/bin/true", "true", nullptr);
          return errno == EACCES ? 0 : 5;
        }) == 0);
  CHECK(end_of([] { confine::see_only({}); }, [] { return can_open("/etc/passwd", O_RDONLY) ? 1 : 0; }) == 0);
}

TEST_CASE("confine: who stays in speaks with whom it may") {
  if (!kConfines || !confine::has_landlock()) return;
  const auto stay = [](const confine::Reach& reach) { return [reach] { confine::stay_in({}, reach); }; };
  struct Kind {
    int family, type, protocol;
    bool confine::Reach::*needed;
  };
  constexpr int kMptcp = 262;
  for (const auto& [family, type, protocol, needed] :
       {Kind{AF_UNIX, SOCK_STREAM, 0, &confine::Reach::unix_streams},
        Kind{AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, &confine::Reach::unix_streams},
        Kind{AF_UNIX, SOCK_DGRAM, 0, nullptr}, Kind{AF_INET, SOCK_DGRAM, 0, nullptr},
        Kind{AF_INET6, SOCK_DGRAM, IPPROTO_UDP, nullptr}, Kind{AF_INET, SOCK_STREAM, 0, &confine::Reach::tcp},
        Kind{AF_INET6, SOCK_STREAM, kMptcp, &confine::Reach::tcp}, Kind{AF_VSOCK, SOCK_STREAM, 0, &confine::Reach::tcp},
        Kind{AF_NETLINK, SOCK_RAW, 0, nullptr}}) {
    CAPTURE(family);
    CAPTURE(type);
    const auto make = [&, f = family, t = type, p = protocol] { return ::socket(f, t, p) >= 0 ? 0 : errno; };
    const int without = end_of([] {}, make);
    confine::Reach reach;
    CHECK(end_of(stay(reach), make) == (needed ? EACCES : without));
    if (!needed) continue;
    reach.*needed = true;
    CHECK(end_of(stay(reach), make) == without);
  }
  // What another process has bound.
  if (::syscall(SYS_landlock_create_ruleset, nullptr, 0, 1) < 6) return;
  sockaddr_un name{AF_UNIX, ""};
  const std::string text = "sallyport-unit-" + std::to_string(::getpid());
  text.copy(name.sun_path + 1, text.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
  const Fd bound(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  REQUIRE(::bind(bound.get(), reinterpret_cast<const sockaddr*>(&name), size) == 0);
  const auto send = [&] {
    const Fd own(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    return ::sendto(own.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&name), size) == 1 ? 0 : errno;
  };
  CHECK(end_of(stay({}), send) == EPERM);
  CHECK(end_of(stay({.abstract_sockets = true}), send) == 0);
}

TEST_CASE("confine: where nothing may be written, no attribute is changed by ioctl(2) either") {
  if (!kConfines || !confine::has_landlock()) return;
  const std::string path = "/tmp/sallyport-unit-attribute." + std::to_string(::getpid());
  const Fd file = fd::open(path, O_RDONLY | O_CREAT, 0600);
  ::unlink(path.c_str());
  const auto change = [&] {
    long flags = 0;
    if (::ioctl(file.get(), FS_IOC_GETFLAGS, &flags) != 0) return errno;
    return ::ioctl(file.get(), FS_IOC_SETFLAGS, &flags) == 0 ? 0 : errno;
  };
  const Fd folder = fd::open("/tmp", O_PATH | O_DIRECTORY);
  const auto stay = [&](unsigned rights) { return [&, rights] { confine::stay_in({{folder.get(), rights}}, {}); }; };
  CHECK(end_of(stay(confine::may_write), change) == end_of([] {}, change));
  if (end_of([] {}, change) == 0) CHECK(end_of(stay(confine::may_read), change) == EACCES);
}

TEST_CASE("child: a program with an identity reaches no other process of its account") {
  if (::geteuid() != 0) return;
  const auto identity = accounts::identity_of("nobody");
  // Nobody may read it, as asp-dial: such a process is closed to others of its account (ptrace(2)).
  const std::string program_of_victim = "/tmp/sallyport-unit-sleep." + std::to_string(::getpid());
  REQUIRE(child::run({{"/usr/bin/install", "-m", "711", "/bin/sleep", program_of_victim}, {}, {}}, "", 100, 5).status ==
          0);
  auto victim = child::spawn({{program_of_victim, "60"}, {}, {}, identity});
  ::unlink(program_of_victim.c_str());
  const std::string script = R"(
import ctypes, os, resource, signal, sys
pid, libc = int(sys.argv[1]), ctypes.CDLL(None, use_errno=True)
def no(done):
    if done < 0: raise OSError(ctypes.get_errno(), "")
tries = dict(
    look=lambda: os.kill(pid, 0), kill=lambda: os.kill(pid, signal.SIGKILL), stop=lambda: os.kill(pid, signal.SIGSTOP),
    go_on=lambda: os.kill(pid, signal.SIGCONT), group=lambda: os.killpg(pid, 9), hold=lambda: os.pidfd_open(pid),
    through_proc=lambda: signal.pidfd_send_signal(os.open(f"/proc/{pid}", os.O_RDONLY), 9),
    limit=lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE, (5, 5)), trace=lambda: no(libc.ptrace(16, pid, 0, 0)),
    slow=lambda: os.setpriority(os.PRIO_PROCESS, pid, 19), one_cpu=lambda: os.sched_setaffinity(pid, {0}),
    idle=lambda: os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0)),
    memory=lambda: os.open(f"/proc/{pid}/mem", os.O_RDWR))
for name, act in tries.items():
    try: act()
    except OSError: continue
    print(name)
print(os.getpid(), os.getppid())
)";
  child::Program program{{"/usr/bin/python3", "-IS", "-c", script, std::to_string(victim.pid())}, {}, {}, identity};
  const auto tried = child::run(program, "", 4096, 20);
  CHECK(tried.err == "");
  CHECK(tried.out == "1 0\n");
  CHECK_FALSE(victim.wait_at_most(std::chrono::milliseconds(100)));
  victim.end();
  const auto rights =
      child::run({{"/bin/grep", "-E", "^(Cap|NoNew)", "/proc/self/status"}, {}, {}, identity}, "", 500, 5);
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
    CHECK(rights.out.find(std::string(set) + ":\t0000000000000000\n") != std::string::npos);
  CHECK(rights.out.find("NoNewPrivs:\t1\n") != std::string::npos);
}

TEST_CASE("child: a program with an identity dies with us, even if all that we can do is to kill") {
  if (::geteuid() != 0) return;
  auto pipe = fd::pipe();
  const auto identity = accounts::identity_of("nobody");
  const pid_t pid = ::fork();
  if (pid == 0) {
    auto started = child::spawn({{"/bin/sleep", "60"}, {}, {{pipe.write.get(), 3}}, identity});
    confine::keep_capabilities(confine::kConnectedUpstream);
    confine::allow_only({confine::kConnectedUpstreamCalls, {}, started.pid()});
    ::_exit(0);
  }
  pipe.write.reset();
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  pollfd end{pipe.read.get(), POLLIN, 0};
  CHECK(::poll(&end, 1, 5000) == 1);
}
