#include "base/log_file.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>

#include <fmt/core.h>

#include "base/deadline.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/paths.h"
#include "base/root_only.h"

namespace log_file {
namespace {

constexpr int kFlags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;

constexpr char kMustBeRoots[] = ": must be a file that root alone may write to";

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

bool is_roots(const struct stat& status) { return S_ISREG(status.st_mode) && root_only::is(status); }

// Not even by way of a descriptor that they had before can others write to what this opens.
Fd open_file(const Fd& folder, const std::string& directory) {
  Fd file(::openat(folder.get(), kName, kFlags | O_CREAT, 0600));
  if (!file) tool::fail_errno(tool::os, "open " + path_in(directory));
  if (!is_roots(status_of(file, path_in(directory)))) fail(path_in(directory) + kMustBeRoots);
  return file;
}

std::string host_name() {
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  const std::string whole = name;
  return whole.substr(0, whole.find('.'));
}

// Copies from where `from` stands to what is its end now.
void copy(const Fd& from, const Fd& to, const std::string& path) {
  const off_t at = ::lseek(from.get(), 0, SEEK_CUR);
  for (off_t left = status_of(from, path).st_size - at; left > 0;) {
    char piece[64 * 1024];
    const ssize_t got = ::read(from.get(), piece, std::min(sizeof piece, static_cast<std::size_t>(left)));
    if (got < 0) tool::fail_errno(tool::os, "read " + path);
    if (got == 0) return;
    io::write_all(to.get(), {piece, static_cast<std::size_t>(got)});
    left -= got;
  }
}

void clear_append_only(const Fd& file) {
  int flags = 0;
  if (::ioctl(file.get(), FS_IOC_GETFLAGS, &flags) != 0 || (flags & FS_APPEND_FL) == 0) return;
  flags &= ~FS_APPEND_FL;
  ::ioctl(file.get(), FS_IOC_SETFLAGS, &flags);  // if it fails, so does what follows
}

// Sessions of older releases wrote to the file themselves (root:sallyport 0620, append-only), and may have it open. So
// it is copied as long as it is append-only; what they add meanwhile follows.
void take_over(const Fd& folder, const std::string& path) {
  Fd old(::openat(folder.get(), kName, O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (!old) tool::fail_errno(tool::os, "open " + path);
  const auto status = status_of(old, path);
  if (!S_ISREG(status.st_mode) || status.st_uid != 0) fail(path + kMustBeRoots);
  const std::string fresh = fmt::format(".{}.new", kName);
  ::unlinkat(folder.get(), fresh.c_str(), 0);
  const Fd file(::openat(folder.get(), fresh.c_str(), kFlags | O_CREAT | O_EXCL, 0600));
  if (!file) tool::fail_errno(tool::os, "make " + path);
  try {
    copy(old, file, path);
    clear_append_only(old);
    if (::renameat(folder.get(), fresh.c_str(), folder.get(), kName) != 0) tool::fail_errno(tool::os, "rename");
    copy(old, file, path);
  } catch (const tool::Failure& failure) {
    ::unlinkat(folder.get(), fresh.c_str(), 0);
    fail(fmt::format("replace {}, to which others can write: {}", path, failure.what()));
  }
}

// One byte of /run/sallyport/logged/UID stands for so many of that user's lines of today: to add to them takes no
// lock.
constexpr std::size_t kUnit = 256;

// Empty, or why the line has no room.
std::string take_of_share(uid_t uid, std::size_t size, std::time_t now) {
  constexpr std::time_t kDay = 86400;
  const std::string path = fmt::format("{}/{}/{}", paths::kRun, kShares, uid);
  struct stat status {};
  const bool stale = ::stat(path.c_str(), &status) == 0 && status.st_mtime / kDay != now / kDay;
  const Fd share(::open(path.c_str(), kFlags | O_CREAT | (stale ? O_TRUNC : 0), 0600));
  if (!share) return fmt::format("open {}: {}", path, std::strerror(errno));
  const std::string units((size + kUnit - 1) / kUnit, '.');
  if (static_cast<std::size_t>(status_of(share, path).st_size) + units.size() > kShare / kUnit)
    return fmt::format("the lines of uid {} have reached what one user may add in a day ({} MiB)", uid, kShare >> 20);
  if (::write(share.get(), units.data(), units.size()) < 0)
    return fmt::format("write to {}: {}", path, std::strerror(errno));
  return {};
}

// Nobody has the lock for longer than a write; whoever was stopped meanwhile keeps it. Once it was waited for in vain,
// it is only tried.
bool take_lock(const Fd& file) {
  static bool in_vain = false;
  constexpr std::chrono::seconds kPatience{2};
  constexpr std::chrono::milliseconds kPause{1};
  const auto deadline = in_vain ? Deadline::now() : Deadline::in(kPatience);
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if ((in_vain = deadline.over())) return false;
    std::this_thread::sleep_for(kPause);
  }
  return true;
}

// Empty, or the reason why nothing was written: a disk that is nearly full takes the beginning of a line.
std::string write_line(const Fd& file, const std::string& line, const std::string& path) {
  const off_t end = status_of(file, path).st_size;
  ssize_t put = 0;
  do {
    put = ::write(file.get(), line.data(), line.size());
  } while (put < 0 && errno == EINTR);
  if (put == static_cast<ssize_t>(line.size())) return {};
  const int error = put < 0 ? errno : ENOSPC;
  if (put > 0 && ::ftruncate(file.get(), end) != 0) tool::fail_errno(tool::os, "cut half a line off " + path);
  return fmt::format("write to {}: {}", path, std::strerror(error));
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

std::string append(const std::string& directory, const std::string& line, std::optional<uid_t> of) {
  try {
    const Fd file = open_file(open_directory(directory), directory);
    if (const std::string why = of ? take_of_share(*of, line.size(), ::time(nullptr)) : ""; !why.empty()) return why;
    if (!take_lock(file)) return fmt::format("write to {}: somebody else does, and does not end", path_in(directory));
    return write_line(file, line, path_in(directory));
  } catch (const tool::Failure& failure) {
    return failure.what();
  }
}

std::string complaint(const std::string& directory) {
  try {
    const Fd folder = open_directory(directory);
    struct stat status {};
    const bool there = ::fstatat(folder.get(), kName, &status, AT_SYMLINK_NOFOLLOW) == 0;
    return !there || is_roots(status) ? "" : path_in(directory) + kMustBeRoots;
  } catch (const tool::Failure& failure) {
    return failure.what();
  }
}

void prepare(const std::string& directory) {
  if (directory.empty()) return;
  make_directory(directory);
  const Fd folder = open_directory(directory);
  struct stat status {};
  if (::fstatat(folder.get(), kName, &status, AT_SYMLINK_NOFOLLOW) == 0 && !is_roots(status))
    take_over(folder, path_in(directory));
}

}  // namespace log_file
