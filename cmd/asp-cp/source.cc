#include "source.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>

#include "base/failure.h"
#include "target.h"

namespace asp_cp {
namespace {

constexpr int kReadFlags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

}  // namespace

Source Source::examine(Fd fd, const std::string& shown) {
  struct stat found {};
  if (::fstat(fd.get(), &found) != 0) fail_file("read " + shown);
  if (!S_ISREG(found.st_mode) && !S_ISDIR(found.st_mode)) {
    throw tool::Failure(tool::io, "read " + shown + ": neither a file nor a directory");
  }
  Source source;
  source.fd_ = std::move(fd);
  source.directory_ = S_ISDIR(found.st_mode);
  source.size_ = static_cast<std::uint64_t>(found.st_size);
  source.mode_ = found.st_mode & 0777;
  source.mtime_ = found.st_mtim;
  source.shown_ = shown;
  return source;
}

Source Source::open(const std::string& path, const Rooted* root) {
  Fd fd = open_path(path, kReadFlags, root);
  if (!fd) fail_file("read " + path);
  return examine(std::move(fd), path);
}

Source Source::open_in(const Source& directory, const std::string& name, const Rooted* root) {
  const std::string shown = directory.shown() + (directory.shown().ends_with('/') ? "" : "/") + name;
  struct stat link {};
  if (::fstatat(directory.fd_.get(), name.c_str(), &link, AT_SYMLINK_NOFOLLOW) != 0) fail_file("read " + shown);
  Fd fd = root ? root->open(shown, kReadFlags) : Fd(::openat(directory.fd_.get(), name.c_str(), kReadFlags));
  if (!fd) fail_file("read " + shown);
  Source source = examine(std::move(fd), shown);
  if (source.directory() && !S_ISDIR(link.st_mode)) {
    throw tool::Failure(tool::io, "read " + shown + ": a symbolic link to a directory is not followed");
  }
  return source;
}

std::vector<std::string> Source::names() const {
  const int copy = ::openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> list(copy >= 0 ? ::fdopendir(copy) : nullptr, ::closedir);
  if (!list) {
    if (copy >= 0) ::close(copy);
    fail_file("read directory " + shown_);
  }
  std::vector<std::string> found;
  errno = 0;
  while (const dirent* entry = ::readdir(list.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") found.emplace_back(name);
    errno = 0;
  }
  if (errno != 0) fail_file("read directory " + shown_);
  std::sort(found.begin(), found.end());
  return found;
}

std::size_t Source::read(char* into, std::size_t count, std::uint64_t offset) const {
  ssize_t got = 0;
  do {
    got = ::pread(fd_.get(), into, count, static_cast<off_t>(offset));
  } while (got < 0 && errno == EINTR);
  if (got < 0) fail_file("read " + shown_);
  return static_cast<std::size_t>(got);
}

bool Source::changed() const {
  struct stat now {};
  return ::fstat(fd_.get(), &now) != 0 || static_cast<std::uint64_t>(now.st_size) != size_ ||
         now.st_mtim.tv_sec != mtime_.tv_sec || now.st_mtim.tv_nsec != mtime_.tv_nsec;
}

}  // namespace asp_cp
