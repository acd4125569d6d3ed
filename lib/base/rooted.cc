#include "base/rooted.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

Fd Rooted::open(const std::string& path, int flags, mode_t mode) const {
  if (path.empty() || path.find('\0') != path.npos) {
    errno = path.empty() ? ENOENT : EINVAL;
    return Fd();
  }
  const std::string whole = path[0] == '/' ? path : start_ + "/" + path;
  open_how how{};
  how.flags = static_cast<decltype(how.flags)>(flags | O_CLOEXEC);
  how.mode = (flags & O_CREAT) != 0 ? mode : 0;
  how.resolve = RESOLVE_IN_ROOT;
  // The kernel gives up when something above was moved meanwhile.
  constexpr int kTries = 100;
  int opened = -1;
  for (int i = 0; i < kTries && opened < 0; ++i) {
    opened = static_cast<int>(::syscall(SYS_openat2, root_.get(), whole.c_str(), &how, sizeof how));
    if (opened < 0 && errno != EAGAIN && errno != EINTR) break;
  }
  return Fd(opened);
}

std::optional<Rooted::Slot> Rooted::slot(const std::string& path) const {
  const auto last = path.find_last_not_of('/');
  const std::string trimmed = last == path.npos ? "" : path.substr(0, last + 1);
  const auto slash = trimmed.rfind('/');
  const std::string name = slash == trimmed.npos ? trimmed : trimmed.substr(slash + 1);
  if (name.empty() || name == "." || name == "..") {
    errno = EBUSY;
    return std::nullopt;
  }
  Fd directory = open(slash == trimmed.npos ? "." : trimmed.substr(0, slash + 1), O_PATH | O_DIRECTORY);
  if (!directory) return std::nullopt;
  return Slot{std::move(directory), name};
}
