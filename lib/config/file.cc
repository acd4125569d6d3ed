#include "config/file.h"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <vector>

#include <fmt/core.h>

#include "base/deadline.h"
#include "base/failure.h"
#include "base/io.h"
#include "config/xml.h"

namespace config::file {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kNewMode = 0644;

// Fails with the code that tells an administrator what to do about errno.
[[noreturn]] void fail(const std::string& verb_and_object) {
  switch (errno) {
    case EACCES:
    case EPERM:
      throw tool::Failure(tool::not_permitted,
                          fmt::format("{}: {}; run it as root, or with sudo", verb_and_object, std::strerror(errno)));
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EIO: tool::fail_errno(tool::io, verb_and_object);
    default: tool::fail_errno(tool::os, verb_and_object);
  }
}

// The path with its symbolic links followed. If the file is not there, the path where it would be.
fs::path real_path(const std::string& path) {
  std::error_code error;
  const bool missing = fs::symlink_status(path, error).type() == fs::file_type::not_found;
  const fs::path given = fs::absolute(path, error);
  const fs::path real =
      missing ? fs::canonical(given.parent_path(), error) / given.filename() : fs::canonical(given, error);
  if (error) throw tool::Failure(tool::config, fmt::format("open {}: {}", path, error.message()));
  if (real.filename().empty()) throw tool::Failure(tool::config, path + ": not a regular file");
  return real;
}

bool same_version(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

void sync(int fd, const std::string& what) {
  if (::fsync(fd) != 0) fail("sync " + what);
}

std::string backup_of(const std::string& name) { return name + ".bak"; }
std::string beside(const std::string& name) { return "." + name + ".new"; }

// A file beside the one that is to be replaced. It is deleted unless it was renamed.
class Temporary {
 public:
  Temporary(int directory, std::string name) : directory_(directory), name_(std::move(name)) {
    ::unlinkat(directory_, name_.c_str(), 0);
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() { ::unlinkat(directory_, name_.c_str(), 0); }

 private:
  int directory_;
  std::string name_;
};

// Creates a new file with `text`. The caller sets its attributes and syncs it to the disk.
Fd create(int directory, const std::string& name, const std::string& text) {
  Fd fd(::openat(directory, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) fail("create " + name);
  try {
    io::write_all(fd.get(), text);
  } catch (const tool::Failure& failure) {
    throw tool::Failure(tool::io, fmt::format("write {}: {}", name, failure.what()));
  }
  return fd;
}

void rename(int directory, const std::string& from, const std::string& to) {
  if (::renameat(directory, from.c_str(), directory, to.c_str()) != 0) fail(fmt::format("rename {} to {}", from, to));
}

// Attributes that are kept besides owner and mode. Labels with a sum of the contents (IMA) are not
// kept.
constexpr const char* kAttributes[] = {"security.selinux", "system.posix_acl_access"};

void copy_attribute(int from, int to, const char* attribute, const std::string& name) {
  const auto absent = [] { return errno == ENODATA || errno == ENOTSUP; };
  const ssize_t size = ::fgetxattr(from, attribute, nullptr, 0);
  if (size < 0 && absent()) return;
  std::vector<char> value(size < 0 ? 0 : static_cast<std::size_t>(size));
  if (size < 0 || ::fgetxattr(from, attribute, value.data(), value.size()) != size)
    fail(fmt::format("read {} of {}", attribute, name));
  std::vector<char> own(value.size() + 1);
  if (::fgetxattr(to, attribute, own.data(), own.size()) == size && std::equal(value.begin(), value.end(), own.begin()))
    return;
  if (::fsetxattr(to, attribute, value.data(), value.size(), 0) != 0)
    fail(fmt::format("set {} of {}", attribute, name));
}

}  // namespace

Lock::Lock(const std::string& path) : path_(path) {
  const fs::path real = real_path(path);
  name_ = real.filename();
  directory_ = Fd(::open(real.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory_) fail("open " + real.parent_path().string());
  take();
}

// The name is deleted while it is still locked, so that it cannot be somebody else's by then.
Lock::~Lock() {
  if (lock_) ::unlinkat(directory_.get(), (name_ + ".lock").c_str(), 0);
}

// A lock does not count if its holder deleted the file after it was opened here.
void Lock::take() {
  const std::string name = name_ + ".lock";
  const auto deadline = Deadline::in(fd::kLockPatience);
  do {
    Fd lock(::openat(directory_.get(), name.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
    if (!lock) fail(fmt::format("open {}.lock", path_));
    fd::lock(lock.get(), path_ + ".lock", deadline);
    struct stat opened {};
    struct stat there {};
    if (::fstat(lock.get(), &opened) != 0) fail("stat " + name);
    if (::fstatat(directory_.get(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0 || opened.st_ino != there.st_ino)
      continue;
    lock_ = std::move(lock);
    return;
  } while (!deadline.over());
  throw tool::Failure(tool::temporary, path_ + ".lock: others hold it all the time");
}

// The owner is set before the mode, since chown(2) may clear bits of the mode.
void Lock::replace(const std::string& text, uid_t owner, gid_t group, mode_t mode) const {
  const std::string fresh_name = beside(name_);
  const Temporary fresh(directory(), fresh_name);
  const Fd fd = create(directory(), fresh_name, text);
  if (::fchown(fd.get(), owner, group) != 0) fail("chown " + fresh_name);
  if (::fchmod(fd.get(), mode) != 0) fail("chmod " + fresh_name);
  sync(fd.get(), fresh_name);
  rename(directory(), fresh_name, name_);
  sync(directory(), "the directory of " + path_);
}

Locked::Locked(const std::string& path, const std::string& otherwise) : lock_(path) { read(otherwise); }

void Locked::read(const std::string& otherwise) {
  file_ =
      Fd(::openat(lock_.directory(), lock_.name().c_str(), O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (!file_ && errno == ENOENT) {
    is_new_ = true;
    text_ = otherwise;
    status_.st_mode = S_IFREG | kNewMode;
    return;
  }
  if (!file_) tool::fail_errno(tool::config, "open " + lock_.path());
  if (::fstat(file_.get(), &status_) != 0) fail("stat " + lock_.path());
  if (!S_ISREG(status_.st_mode)) throw tool::Failure(tool::config, lock_.path() + ": not a regular file");
  if (status_.st_size > static_cast<off_t>(config::xml::kMaxBytes)) {
    throw tool::Failure(tool::config, fmt::format("{}: larger than {} bytes", lock_.path(), config::xml::kMaxBytes));
  }
  text_ = io::read_all(file_.get(), config::xml::kMaxBytes, lock_.path());
}

void Locked::replace(const std::string& text) {
  const std::string backup = backup_of(lock_.name());
  const Temporary fresh(lock_.directory(), beside(lock_.name()));
  const Temporary old(lock_.directory(), beside(backup));
  write_beside(lock_.name(), text);
  if (!is_new_) write_beside(backup, text_);
  check_unchanged();
  if (!is_new_) rename(lock_.directory(), beside(backup), backup);
  rename(lock_.directory(), beside(lock_.name()), lock_.name());
  sync(lock_.directory(), "the directory of " + lock_.path());
}

void Locked::write_beside(const std::string& name, const std::string& text) const {
  const std::string shown = beside(name);
  const Fd fd = create(lock_.directory(), shown, text);
  keep_attributes(fd.get(), shown);
  sync(fd.get(), shown);
}

// The owner is set first, since chown(2) may clear bits of the mode. The mode is set last, since it is
// also the most that the ACL allows.
void Locked::keep_attributes(int fd, const std::string& name) const {
  if (!is_new_) {
    struct stat own {};
    if (::fstat(fd, &own) != 0) fail("stat " + name);
    const bool same = own.st_uid == status_.st_uid && own.st_gid == status_.st_gid;
    if (!same && ::fchown(fd, status_.st_uid, status_.st_gid) != 0)
      fail("give owner and group of " + lock_.path() + " to " + name);
    for (const char* attribute : kAttributes) copy_attribute(file_.get(), fd, attribute, name);
  }
  if (::fchmod(fd, mode()) != 0) fail("chmod " + name);
}

void Locked::check_unchanged() const {
  struct stat there {};
  const bool found = ::fstatat(lock_.directory(), lock_.name().c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0;
  if (found != is_new_ && (is_new_ || same_version(there, status_))) return;
  throw tool::Failure(tool::temporary, lock_.path() + ": was changed by somebody else meanwhile; try again");
}

}  // namespace config::file
