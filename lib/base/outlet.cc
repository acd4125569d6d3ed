#include "base/outlet.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/core.h>

#include "base/await.h"
#include "base/failure.h"

namespace {

// pipe(7): a writable pipe accepts this many bytes without blocking.
constexpr std::size_t kSafeWrite = 4096;

const Fd& null() {
  static const Fd opened(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  return opened;
}

}  // namespace

void Outlet::prepare() { null(); }

Outlet::Outlet(int fd) : fd_(fd) {
  struct stat about;
  if (::fstat(fd, &about) != 0) tool::fail_errno(tool::io, fmt::format("fstat descriptor {}", fd));
  if (S_ISSOCK(about.st_mode)) {
    kind_ = Kind::socket;
  } else if (S_ISFIFO(about.st_mode) || ::isatty(fd)) {
    reopened_ = Fd(::open(fmt::format("/proc/self/fd/{}", fd).c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (reopened_) kind_ = Kind::reopened;
    else if (S_ISFIFO(about.st_mode)) kind_ = Kind::pipe;
  }
}

void Outlet::hold(std::string bytes) {
  if (!open()) return;
  held_ = std::move(bytes);
  sent_ = 0;
}

long Outlet::write_some() {
  const char* const from = held_.data() + sent_;
  const std::size_t left = held_.size() - sent_;
  if (kind_ == Kind::socket) return ::send(fd_, from, left, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (kind_ == Kind::reopened) return ::write(reopened_.get(), from, left);
  if (kind_ == Kind::pipe) {
    iovec all{const_cast<char*>(from), left};
    const ssize_t put = ::pwritev2(fd_, &all, 1, -1, RWF_NOWAIT);
    if (put >= 0 || errno != EOPNOTSUPP) return put;
    kind_ = Kind::other;
  }
  if (!await::writable(fd_, Deadline::now())) {
    errno = EAGAIN;
    return -1;
  }
  return ::write(fd_, from, std::min(left, kSafeWrite));
}

bool Outlet::flush() {
  while (open() && !empty()) {
    const long put = write_some();
    if (put >= 0) {
      sent_ += static_cast<std::size_t>(put);
    } else if (errno == EAGAIN) {
      return true;
    } else if (errno == EPIPE || errno == ECONNRESET || errno == EIO || errno == EBADF) {
      return false;  // EBADF: it was closed from the start
    } else if (errno != EINTR) {
      tool::fail_errno(tool::io, fmt::format("write to descriptor {}", fd_));
    }
  }
  return true;
}

void Outlet::close() {
  if (!open()) return;
  if (kind_ == Kind::socket) ::shutdown(fd_, SHUT_WR);
  if (null()) ::dup2(null().get(), fd_);
  reopened_.reset();
  held_.clear();
  sent_ = 0;
  fd_ = -1;
}
