// base/confine_phases: what each privileged program keeps, and from when on (base/confine.h); the same as a table
// is in ARCHITECTURE.md and sallyport(7), which a test holds against the processes of a session.
#pragma once

#include <linux/capability.h>

namespace confine {

// asp-upstream, once it knows who calls: to run programs under accounts without rights, each among process numbers
// of its own, and to end them.
constexpr int kVerifiedUpstream[] = {CAP_SETUID, CAP_SETGID, CAP_KILL, CAP_SYS_ADMIN, CAP_SETPCAP};
// asp-pinhole, once it knows who calls: the firewall.
constexpr int kVerifiedPinhole[] = {CAP_NET_ADMIN, CAP_NET_RAW};
// asp-upstream, once the server is connected: its asp-dial is of another account, and has to end with it.
constexpr int kConnectedUpstream[] = {CAP_KILL};
// asp-lease, once it knows who asks: the firewall, and programs under accounts without rights.
constexpr int kVerifiedLease[] = {CAP_SETUID,  CAP_SETGID,    CAP_KILL,   CAP_SYS_ADMIN,
                                  CAP_SETPCAP, CAP_NET_ADMIN, CAP_NET_RAW};
// asp-reap, from its start: the firewall, processes of users and those without rights, who holds a record, and an
// older release's log.
constexpr int kReap[] = {CAP_NET_ADMIN, CAP_NET_RAW,   CAP_SYS_MODULE, CAP_SETUID,     CAP_SETGID,
                         CAP_KILL,      CAP_SYS_ADMIN, CAP_SETPCAP,    CAP_SYS_PTRACE, CAP_LINUX_IMMUTABLE};

// The calls that a process needs to wait for its descriptors, to compute, and to end.
#define CONFINE_CALLS_OF_ALL                                                                                           \
  "accept4", "brk", "clock_getres", "clock_gettime", "clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64",   \
      "close", "close_range", "dup", "dup2", "dup3", "exit", "exit_group", "faccessat", "faccessat2", "access",        \
      "fcntl", "fcntl64", "fstat", "fstat64", "fstatat64", "futex", "futex_time64", "futex_wait", "futex_waitv",       \
      "futex_wake", "getcpu", "getegid", "geteuid", "getgid", "getpeername", "getpid", "getppid", "getrandom",         \
      "getsockname", "getsockopt", "gettid", "gettimeofday", "getuid", "ioctl", "lseek", "_llseek", "lstat",           \
      "madvise", "membarrier", "mmap", "mmap2", "mprotect", "mremap", "munmap", "nanosleep", "newfstatat", "poll",     \
      "ppoll", "ppoll_time64", "pread64", "preadv2", "pwritev2", "pselect6", "pselect6_time64", "read", "readv",       \
      "recv", "recvfrom", "recvmsg", "restart_syscall", "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask",     \
      "rt_sigreturn", "sched_getaffinity", "sched_yield", "select", "_newselect", "send", "sendmsg", "sendto",         \
      "set_robust_list", "setsockopt", "shutdown", "sigaltstack", "signalfd4", "sigreturn", "stat", "stat64", "statx", \
      "sysinfo", "time", "uname", "write", "writev"

// asp-dial, once it is logged in: its descriptors.
constexpr const char* kLoggedInDial[] = {CONFINE_CALLS_OF_ALL};
// asp-redis, from its start: connections to Redis.
constexpr const char* kRedis[] = {CONFINE_CALLS_OF_ALL, "connect"};
// asp-upstream, once the server is connected: to end its asp-dial, to remove its tokens, to look at the client's
// connection, and to log.
constexpr const char* kConnectedUpstreamCalls[] = {CONFINE_CALLS_OF_ALL,
                                                   "connect",
                                                   "bind",
                                                   "open",
                                                   "openat",
                                                   "unlink",
                                                   "unlinkat",
                                                   "wait4",
                                                   "waitid",
                                                   "waitpid",
                                                   "readlink",
                                                   "readlinkat",
                                                   "flock",
                                                   "ftruncate",
                                                   "ftruncate64"};

#undef CONFINE_CALLS_OF_ALL

}  // namespace confine
