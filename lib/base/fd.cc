#include "base/fd.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <utility>

#include <fmt/core.h>

#include "base/alarm.h"
#include "base/deadline.h"
#include "base/failure.h"

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void Fd::reset() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

namespace fd {

Pair pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) tool::fail_errno(tool::os, "pipe");
  return {Fd(ends[0]), Fd(ends[1])};
}

Pair socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) tool::fail_errno(tool::os, "socketpair");
  return {Fd(ends[0]), Fd(ends[1])};
}

Fd open(const std::string& path, int flags, unsigned mode) {
  Fd opened(::open(path.c_str(), flags | O_CLOEXEC, mode));
  if (!opened) tool::fail_errno(tool::os, "open " + path);
  return opened;
}

void set_nonblocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) tool::fail_errno(tool::os, "fcntl O_NONBLOCK");
}

namespace {

// " by process 4711 (asp-reap)", from /proc/locks; empty when it does not tell. A line there:
//   1: FLOCK  ADVISORY  WRITE 4711 00:19:1234 0 EOF
std::string holder_of(int fd) {
  struct stat status {};
  std::ifstream locks("/proc/locks");
  if (::fstat(fd, &status) != 0) return {};
  const std::string file = fmt::format("{:02x}:{:02x}:{}", major(status.st_dev), minor(status.st_dev), status.st_ino);
  for (std::string line; std::getline(locks, line);) {
    std::istringstream words(line);
    std::string number, kind, manner, access, inode;
    long pid = 0;
    if (!(words >> number >> kind >> manner >> access >> pid >> inode) || kind != "FLOCK" || inode != file) continue;
    std::string name;
    std::getline(std::ifstream(fmt::format("/proc/{}/comm", pid)), name);
    return fmt::format(" by process {} ({})", pid, name);
  }
  return {};
}

using Clock = std::chrono::steady_clock;

[[noreturn]] void give_up(int fd, const std::string& path, Clock::time_point since) {
  const auto waited = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - since);
  throw tool::Failure(tool::temporary,
                      fmt::format("{}: still locked{} after {} s", path, holder_of(fd), waited.count()));
}

// The kernel wakes one that waits as soon as the lock is free. False: `over` says so, which is asked now and then.
template <typename Over>
bool wait_for_lock(int fd, const std::string& path, Over over) {
  constexpr std::chrono::milliseconds kLook{500};
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
  if (errno != EWOULDBLOCK && errno != EINTR) tool::fail_errno(tool::os, "lock " + path);
  const Alarm alarm(kLook, kLook);
  while (!over()) {
    if (::flock(fd, LOCK_EX) == 0) return true;
    if (errno != EINTR) tool::fail_errno(tool::os, "lock " + path);
  }
  return false;
}

// When somebody took the lock last; 0 if that is not noted.
std::int64_t taken_last(int fd) {
  std::int64_t when = 0;
  return ::pread(fd, &when, sizeof when, 0) == sizeof when ? when : 0;
}

// Without the note others wait as for one who hangs.
void note_taken(int fd) {
  const std::int64_t when = Clock::now().time_since_epoch().count();
  [[maybe_unused]] const ssize_t noted = ::pwrite(fd, &when, sizeof when, 0);
}

}  // namespace

void lock(int fd, const std::string& path, const Deadline& deadline) {
  const auto start = Clock::now();
  if (!wait_for_lock(fd, path, [&] { return deadline.over(); })) give_up(fd, path, start);
}

void lock_in_line(int fd, const std::string& path, std::chrono::milliseconds each, std::chrono::milliseconds in_all) {
  const auto start = Clock::now();
  const auto until = Deadline::in(in_all);
  auto for_this_one = Deadline::in(each);
  auto taken = taken_last(fd);
  const auto over = [&] {
    if (const auto now = taken_last(fd); std::exchange(taken, now) != now) for_this_one = Deadline::in(each);
    return std::min(until, for_this_one).over();
  };
  if (!wait_for_lock(fd, path, over)) give_up(fd, path, start);
  note_taken(fd);
}

}  // namespace fd
