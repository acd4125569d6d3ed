#include "base/log_file.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fmt/core.h>

#include "base/failure.h"
#include "base/fd.h"
#include "base/paths.h"
#include "base/root_only.h"

namespace log_file {
namespace {

constexpr mode_t kMode = 0620;
constexpr int kFlags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;

std::string path_in(const std::string& directory) { return fmt::format("{}/{}", directory, kName); }

[[noreturn]] void fail(const std::string& what) { throw tool::Failure(tool::os, what); }

struct stat status_of(const Fd& file, const std::string& path) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) tool::fail_errno(tool::os, "stat " + path);
  return status;
}

// Somebody who may write to the directory could replace the file by anything.
Fd open_directory(const std::string& directory) {
  Fd opened(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!opened) tool::fail_errno(tool::os, "open " + directory);
  const auto status = status_of(opened, directory);
  if (!root_only::is(status)) fail(directory + ": must be a directory that root alone may write to");
  return opened;
}

Fd open_file(const Fd& folder, const std::string& directory) {
  Fd file(::openat(folder.get(), kName, kFlags));
  if (!file) tool::fail_errno(tool::os, "open " + path_in(directory));
  const auto status = status_of(file, path_in(directory));
  if (!S_ISREG(status.st_mode) || status.st_uid != 0 || (status.st_mode & S_IWOTH) != 0) {
    fail(path_in(directory) + ": must be a file of root's that not everybody may write to");
  }
  return file;
}

std::string host_name() {
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  const std::string whole = name;
  return whole.substr(0, whole.find('.'));
}

// False where the file system, or our rights, do not permit it.
bool set_append_only(const Fd& file, bool on) {
  int flags = 0;
  if (::ioctl(file.get(), FS_IOC_GETFLAGS, &flags) != 0) return false;
  flags = on ? flags | FS_APPEND_FL : flags & ~FS_APPEND_FL;
  return ::ioctl(file.get(), FS_IOC_SETFLAGS, &flags) == 0;
}

bool is_append_only(const Fd& file) {
  int flags = 0;
  return ::ioctl(file.get(), FS_IOC_GETFLAGS, &flags) == 0 && (flags & FS_APPEND_FL) != 0;
}

gid_t group() {
  const ::group* entry = ::getgrnam(paths::kGroup);
  if (!entry) fail(fmt::format("there is no group {}", paths::kGroup));
  return entry->gr_gid;
}

void give_to_group(const Fd& file, const std::string& path) {
  if (::fchown(file.get(), 0, group()) != 0) tool::fail_errno(tool::os, "chown " + path);
  if (::fchmod(file.get(), kMode) != 0) tool::fail_errno(tool::os, "chmod " + path);
}

// The file is completed under another name first, so nobody sees it half made.
void make_file(const Fd& folder, const std::string& path) {
  const std::string fresh = fmt::format(".{}.{}", kName, ::getpid());
  ::unlinkat(folder.get(), fresh.c_str(), 0);
  Fd file(::openat(folder.get(), fresh.c_str(), kFlags | O_CREAT | O_EXCL, 0600));
  if (!file) tool::fail_errno(tool::os, "make " + path);
  try {
    give_to_group(file, path);
    if (::renameat2(folder.get(), fresh.c_str(), folder.get(), kName, RENAME_NOREPLACE) != 0 && errno != EEXIST) {
      tool::fail_errno(tool::os, "make " + path);
    }
  } catch (const tool::Failure&) {
    ::unlinkat(folder.get(), fresh.c_str(), 0);
    throw;
  }
  if (::unlinkat(folder.get(), fresh.c_str(), 0) == 0) return;  // another process was first
  set_append_only(file, true);
}

// An append-only file cannot change its owner and mode, either.
void mend_file(const Fd& folder, const std::string& directory) {
  const Fd file = open_file(folder, directory);
  const auto status = status_of(file, path_in(directory));
  if ((status.st_mode & 07777) == kMode && status.st_gid == group()) return;
  const bool append_only = is_append_only(file);
  if (append_only) set_append_only(file, false);
  give_to_group(file, path_in(directory));
  if (append_only) set_append_only(file, true);
}

void make_directory(const std::string& directory) {
  if (::mkdir(directory.c_str(), 0755) == 0) {
    if (::chmod(directory.c_str(), 0755) != 0) tool::fail_errno(tool::os, "chmod " + directory);
  } else if (errno != EEXIST) {
    tool::fail_errno(tool::os, "mkdir " + directory);
  }
}

}  // namespace

std::string line(std::time_t now, const std::string& ident, const std::string& text) {
  constexpr char kCutMark[] = " [cut]";
  std::tm local{};
  ::localtime_r(&now, &local);
  char time[32];
  std::strftime(time, sizeof time, "%b %e %H:%M:%S", &local);
  std::string whole = fmt::format("{} {} {}[{}]: {}", time, host_name(), ident, ::getpid(), text);
  if (whole.size() + 1 > kMaxLine) whole = whole.substr(0, kMaxLine - sizeof kCutMark) + kCutMark;
  return whole + "\n";
}

std::string append(const std::string& directory, const std::string& line) {
  try {
    const Fd file = open_file(open_directory(directory), directory);
    ssize_t put = 0;
    do {
      put = ::write(file.get(), line.data(), line.size());
    } while (put < 0 && errno == EINTR);
    if (put == static_cast<ssize_t>(line.size())) return {};
    return fmt::format("write to {}: {}", path_in(directory), put < 0 ? std::strerror(errno) : "no room");
  } catch (const tool::Failure& failure) {
    return failure.what();
  }
}

void prepare(const std::string& directory) {
  if (directory.empty()) return;
  make_directory(directory);
  const Fd folder = open_directory(directory);
  struct stat status {};
  if (::fstatat(folder.get(), kName, &status, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT)
    make_file(folder, path_in(directory));
  else mend_file(folder, directory);
}

}  // namespace log_file
