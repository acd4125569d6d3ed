#include "base/child.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include <fmt/core.h>

#include "base/await.h"
#include "base/failure.h"
#include "base/pidfd.h"

namespace child {
namespace {

// For one that we may not kill, or that the kernel does not let go: a disk hangs, its cgroup is frozen.
constexpr std::chrono::milliseconds kOwnEndTime{3000};

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> out;
  out.reserve(words.size() + 1);
  for (const auto& word : words) out.push_back(const_cast<char*>(word.c_str()));
  out.push_back(nullptr);
  return out;
}

// Async-signal-safe: runs between fork and exec. Sources are first moved above
// every target, so that one mapping cannot overwrite another's source.
int map_descriptors(const std::pair<int, int>* mapping, std::size_t count, int* moved, int above) {
  for (std::size_t i = 0; i < count; ++i) {
    moved[i] = ::fcntl(mapping[i].first, F_DUPFD_CLOEXEC, above);
    if (moved[i] < 0) return errno;
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (::dup2(moved[i], mapping[i].second) < 0) return errno;
  }
  return 0;
}

void default_signals() {
  for (const int number : {SIGPIPE, SIGHUP, SIGINT, SIGTERM, SIGWINCH, SIGCHLD}) ::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Where ids once had 16 bits, the calls for those of 32 have a name of their own.
#ifdef SYS_setresuid32
constexpr long kSetGroups = SYS_setgroups32, kSetGids = SYS_setresgid32, kSetUids = SYS_setresuid32;
#else
constexpr long kSetGroups = SYS_setgroups, kSetGids = SYS_setresgid, kSetUids = SYS_setresuid;
#endif

// Async-signal-safe: the C library's own functions take a lock, to tell all threads, which another thread may
// have held when we forked. The groups are changed first, while we still may; and no set-uid program leads back.
bool become(const Identity& identity) {
  for (int each = 0; ::prctl(PR_CAPBSET_DROP, each, 0, 0, 0) == 0; ++each) {
  }
  return ::syscall(kSetGroups, 0, nullptr) == 0 && ::syscall(kSetGids, identity.gid, identity.gid, identity.gid) == 0 &&
         ::syscall(kSetUids, identity.uid, identity.uid, identity.uid) == 0 &&
         ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

// fork(2) into a PID namespace of its own, for which the C library has no function: the child makes nothing but
// system calls until exec. Where that is forbidden, in some containers, plain fork(2).
pid_t fork_apart() {
  const long pid = ::syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  return pid >= 0 ? static_cast<pid_t>(pid) : ::fork();
}

// The parent may have died before we asked to die with it. getppid(2) does not tell, from a PID namespace.
bool is_alone(int report) {
  pollfd parent{report, 0, 0};
  return ::poll(&parent, 1, 0) > 0;  // nobody is left to read
}

// One nonblocking step of a bounded collection; false at EOF.
bool collect(int fd, std::string& into, std::size_t limit, const std::string& name) {
  char chunk[16384];
  const ssize_t got = ::read(fd, chunk, sizeof chunk);
  if (got == 0) return false;
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  into.append(chunk, static_cast<std::size_t>(got));
  if (into.size() > limit)
    throw tool::Failure(tool::bad_input, fmt::format("{}: more than {} bytes of output", name, limit));
  return true;
}

}  // namespace

int status_of(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

std::string describe(int status) {
  if (status == 128 + SIGSYS)
    return "killed for a system call that is forbidden to it; the kernel's log has its number";
  if (status > 128 && status <= 128 + SIGRTMAX) return fmt::format("killed by signal {}", status - 128);
  return fmt::format("status {}", status);
}

Child::Child(pid_t pid) : pid_(pid) {
  try {
    pidfd_ = pidfd::open(pid);
  } catch (...) {
    end();
    throw;
  }
}

Child::Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)) {}

Child& Child::operator=(Child&& other) noexcept {
  if (this != &other) {
    end();
    pid_ = std::exchange(other.pid_, -1);
    pidfd_ = std::move(other.pidfd_);
  }
  return *this;
}

Child::~Child() { end(); }

void Child::signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

int Child::wait() {
  int wait_status = 0;
  while (::waitpid(pid_, &wait_status, 0) < 0) {
    if (errno != EINTR) tool::fail_errno(tool::os, "waitpid");
  }
  pid_ = -1;
  pidfd_.reset();
  return status_of(wait_status);
}

bool Child::is_over(std::chrono::milliseconds patience) const { return pidfd::ended(pidfd_, Deadline::in(patience)); }

std::optional<int> Child::wait_at_most(std::chrono::milliseconds patience) {
  if (!is_over(patience)) return std::nullopt;
  return wait();
}

int Child::wait_for(std::chrono::milliseconds patience) {
  if (const auto status = wait_at_most(patience)) return *status;
  signal(SIGKILL);
  if (const auto status = wait_at_most(kOwnEndTime)) return *status;
  release();
  return 128 + SIGKILL;
}

void Child::end() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  if (!pidfd_ || is_over(kOwnEndTime)) {
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  release();
}

void Child::release() {
  pid_ = -1;
  pidfd_.reset();
}

Child spawn(const Program& program) {
  const auto argv = pointers(program.argv);
  const auto environment = pointers(program.environment);
  std::vector<int> moved(program.mapping.size());
  int above = 10;
  for (const auto& [ours, theirs] : program.mapping) above = std::max(above, theirs + 1);
  auto exec_error = fd::pipe();

  const pid_t pid = program.identity ? fork_apart() : ::fork();
  if (pid < 0) tool::fail_errno(tool::os, "fork");
  if (pid == 0) {
    default_signals();
    for (const int number : program.ignored) ::signal(number, SIG_IGN);
    ::close(exec_error.read.get());
    // The error pipe must survive the mapping, too.
    const int report = ::fcntl(exec_error.write.get(), F_DUPFD_CLOEXEC, above);
    // Must come before the next call: a change of identity clears it.
    int error = program.identity && !become(*program.identity) ? errno : 0;
    // The child must not continue our work once nobody holds our locks. (exec of a set-uid program, sudo,
    // clears this: that one watches its stdin.)
    if (program.outlives_us) ::setsid();
    else if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || is_alone(report)) ::_exit(tool::os);
    // Another account must not inherit a descriptor that we were started with.
    if (program.identity) ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    if (error == 0) error = map_descriptors(program.mapping.data(), program.mapping.size(), moved.data(), above);
    if (error == 0) {
      ::execve(argv[0], argv.data(), environment.data());
      error = errno;
    }
    [[maybe_unused]] const ssize_t put = ::write(report, &error, sizeof error);
    ::_exit(tool::os);
  }
  Child started(pid);
  exec_error.write.reset();
  // exec closes that pipe, or there is an error in it. From exec on, a process that may signal the child can
  // also stop it.
  if (!await::readable(exec_error.read.get(), Deadline::in(program.start_within)))
    throw tool::Failure(tool::os, fmt::format("run {}: it did not start in time", program.argv[0]));
  int error = 0;
  ssize_t got = 0;
  do {
    got = ::read(exec_error.read.get(), &error, sizeof error);
  } while (got < 0 && errno == EINTR);
  if (got == sizeof error) {
    started.wait();
    throw tool::Failure(tool::os, fmt::format("run {}: {}", program.argv[0], std::strerror(error)));
  }
  return started;
}

void replace(const Program& program) {
  default_signals();
  ::execve(program.argv[0].c_str(), pointers(program.argv).data(), pointers(program.environment).data());
  tool::fail_errno(tool::os, "run " + program.argv[0]);
}

Output run(const Program& program, const std::string& input, std::size_t limit, int seconds) {
  auto in = fd::pipe();
  auto out = fd::pipe();
  auto err = fd::pipe();
  Program piped = program;
  piped.mapping.insert(piped.mapping.end(), {{in.read.get(), 0}, {out.write.get(), 1}, {err.write.get(), 2}});
  Child started = spawn(piped);
  in.read.reset();
  out.write.reset();
  err.write.reset();
  fd::set_nonblocking(in.write.get());

  const auto deadline = Deadline::in(std::chrono::seconds(seconds));
  Output result{};
  std::size_t fed = 0;
  if (input.empty()) in.write.reset();
  for (;;) {
    const bool drained = !out.read && !err.read;  // then only the end of the process is waited for
    await::On its_out(out.read.get()), its_err(err.read.get()), its_in(in.write.get(), POLLOUT),
        its_end(drained ? started.pidfd() : -1);
    if (deadline.over() || !await::any(deadline, its_out, its_err, its_in, its_end))
      throw tool::Failure(tool::temporary, fmt::format("{}: no answer within {} s", program.argv[0], seconds));
    if (its_out && !collect(out.read.get(), result.out, limit, program.argv[0])) out.read.reset();
    if (its_err && !collect(err.read.get(), result.err, limit, program.argv[0])) err.read.reset();
    if (its_in) {
      const ssize_t put = ::write(in.write.get(), input.data() + fed, input.size() - fed);
      if (put > 0) fed += static_cast<std::size_t>(put);
      if (fed == input.size() || (put < 0 && errno != EAGAIN && errno != EINTR)) in.write.reset();
    }
    if (its_end) break;
  }
  result.status = started.wait();
  while (result.err.ends_with('\n')) result.err.pop_back();
  return result;
}

}  // namespace child
