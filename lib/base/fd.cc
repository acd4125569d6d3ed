#include "base/fd.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>

#include <fmt/core.h>

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

}  // namespace

void lock(int fd, const std::string& path, const Deadline& deadline) {
  lock_unless([] { return false; }, fd, path, deadline);
}

bool lock_unless(const std::function<bool()>& given_up, int fd, const std::string& path, const Deadline& deadline) {
  constexpr std::chrono::milliseconds kRetryPause{1};
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) tool::fail_errno(tool::os, "lock " + path);
    if (given_up()) return false;
    if (deadline.over())
      throw tool::Failure(tool::temporary,
                          fmt::format("{}: still locked{} after {} s", path, holder_of(fd), kLockPatience.count()));
    std::this_thread::sleep_for(kRetryPause);
  }
  return true;
}

}  // namespace fd
