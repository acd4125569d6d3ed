#include "docroot.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <deque>

#include <fmt/core.h>

#include "base/cut.h"
#include "base/failure.h"

namespace aspshell {
namespace {

constexpr int kMaxLinks = 40;  // as the kernel

[[noreturn]] void fail(const std::string& path, const std::string& why, tool::Exit code = tool::config) {
  throw tool::Failure(code, fmt::format("docroot {}: {}", path, why),
                      "The docroot of this account cannot be used. Tell the administrator.");
}

[[noreturn]] void fail_errno(const std::string& path) {
  const int error = errno;
  fail(path, std::strerror(error), error == EACCES || error == EPERM ? tool::not_permitted : tool::config);
}

// The components of `text`, before `rest`.
void put_before(std::deque<std::string>& rest, std::string_view text) {
  const auto parts = cut::words(text, "/");
  rest.insert(rest.begin(), parts.begin(), parts.end());
}

std::string target_of(const Fd& link, const std::string& path) {
  char target[PATH_MAX];
  const ssize_t size = ::readlinkat(link.get(), "", target, sizeof target);
  if (size <= 0) fail_errno(path);
  return {target, static_cast<std::size_t>(size)};
}

}  // namespace

// Component by component, so that what is examined is what is gone through.
Fd open_docroot(const std::string& path) {
  if (!path.starts_with('/')) fail(path, "is not a directory of this host");
  Fd at = fd::open("/", O_PATH | O_DIRECTORY);
  std::deque<std::string> rest;
  put_before(rest, path);
  for (int links = 0; !rest.empty();) {
    const std::string name = rest.front();
    rest.pop_front();
    Fd next(::openat(at.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat found {};
    if (!next || ::fstat(next.get(), &found) != 0) fail_errno(path);
    if (!S_ISLNK(found.st_mode)) {
      at = std::move(next);
      continue;
    }
    if (found.st_uid != 0) fail(path, fmt::format("the symbolic link {} on the way is not root's", name));
    if (++links > kMaxLinks) fail(path, "too many symbolic links");
    const std::string target = target_of(next, path);
    if (target.starts_with('/')) at = fd::open("/", O_PATH | O_DIRECTORY);
    put_before(rest, target);
  }
  struct stat found {};
  if (::fstat(at.get(), &found) != 0) fail_errno(path);
  if (!S_ISDIR(found.st_mode)) fail(path, "is not a directory");
  // To go through it, too.
  if (::faccessat(at.get(), ".", X_OK, AT_EACCESS) != 0) fail_errno(path);
  return at;
}

}  // namespace aspshell
