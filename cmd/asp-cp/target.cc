#include "target.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include <fmt/core.h>

namespace asp_cp {
namespace {

constexpr int kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

bool is_directory(const std::string& path, const Rooted* root) {
  const Fd found = open_path(path, O_PATH | O_DIRECTORY, root);
  if (!found && errno != ENOENT && errno != ENOTDIR) fail_file(path);
  return static_cast<bool>(found);
}

// Where directories may not be read, files can be put into them all the same.
Fd open_directory(int at, const std::string& name, const std::string& shown) {
  Fd directory(::openat(at, name.c_str(), kDirectoryFlags | O_NOFOLLOW));
  if (!directory && errno == EACCES)
    directory = Fd(::openat(at, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) fail_file("open directory " + shown);
  return directory;
}

Fd open_first(const std::string& path, const Rooted* root) {
  Fd directory = open_path(path, O_RDONLY | O_DIRECTORY, root);
  if (!directory && errno == EACCES) directory = open_path(path, O_PATH | O_DIRECTORY, root);
  if (!directory) fail_file("open directory " + path);
  return directory;
}

}  // namespace

void fail_file(const std::string& verb_and_object) {
  const bool forbidden = errno == EACCES || errno == EPERM;
  tool::fail_errno(forbidden ? tool::not_permitted : tool::io, verb_and_object);
}

Fd open_path(const std::string& path, int flags, const Rooted* root) {
  if (root) return root->open(path, flags);
  if (path.find('\0') == path.npos) return Fd(::open(path.c_str(), flags | O_CLOEXEC));
  errno = EINVAL;
  return Fd();
}

std::string partial_name(const std::string& name) {
  constexpr std::string_view kPartialSuffix = ".asp-part";
  if (name.size() + 1 + kPartialSuffix.size() <= kMaxName) return fmt::format(".{}{}", name, kPartialSuffix);
  Sha256 digest;
  digest.add(name.data(), name.size());
  return fmt::format(".{}.{}{}", name.substr(0, 160), digest.hex().substr(0, 32), kPartialSuffix);
}

Target Target::open(const std::string& path, bool must_be_directory, const Rooted* root) {
  Target target;
  const std::string given = path.empty() ? "." : path;
  if (given.find('\0') != given.npos) throw tool::Failure(tool::bad_input, "a NUL in a path");
  if (must_be_directory || given.back() == '/' || is_directory(given, root)) {
    target.directory_ = open_first(given, root);
    target.shown_ = given.back() == '/' ? given : given + "/";
    return target;
  }
  const auto slash = given.rfind('/');
  const std::string parent = slash == given.npos ? "." : given.substr(0, slash + 1);
  target.name_ = given.substr(slash == given.npos ? 0 : slash + 1);
  // A name that was not a directory just now may be one by now, and these would lead out of it.
  if (*target.name_ == "." || *target.name_ == "..") {
    errno = ENOENT;
    fail_file(given);
  }
  if (target.name_->size() > kMaxName) throw tool::Failure(tool::io, "a file name of more than 255 bytes");
  target.directory_ = open_first(parent, root);
  target.shown_ = slash == given.npos ? "" : parent;
  return target;
}

Target::Slot Target::place(const std::string& path) const {
  auto parts = split_path(path);
  if (name_) parts[0] = *name_;
  Slot slot{Fd(::fcntl(directory_.get(), F_DUPFD_CLOEXEC, 0)), parts.back(), shown_};
  if (!slot.directory) tool::fail_errno(tool::os, "dup");
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    slot.shown += parts[i] + "/";
    slot.directory = open_directory(slot.directory.get(), parts[i], slot.shown);
  }
  slot.shown += slot.name;
  return slot;
}

void Target::make_directory(const DirectoryHead& head) const {
  const Slot slot = place(head.path);
  const mode_t mode = (head.mode & 0777) | 0700;
  if (::mkdirat(slot.directory.get(), slot.name.c_str(), mode) == 0) {
    // A directory that may not be read keeps the mode that it was made with.
    const Fd made = open_directory(slot.directory.get(), slot.name, slot.shown);
    if (::fchmod(made.get(), mode) != 0 && errno != EBADF) fail_file("chmod " + slot.shown);
  } else if (errno == EEXIST) {
    open_directory(slot.directory.get(), slot.name, slot.shown);
  } else {
    fail_file("create directory " + slot.shown);
  }
}

Incoming::Incoming(Target::Slot slot, const FileHead& head)
    : slot_(std::move(slot)), head_(head), partial_(partial_name(slot_.name)) {
  struct stat there {};
  if (::fstatat(slot_.directory.get(), slot_.name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
      S_ISDIR(there.st_mode)) {
    errno = EISDIR;
    fail_file("replace " + slot_.shown);
  }
  open_partial();
}

// Gives up after some attempts on a name that somebody else keeps changing.
void Incoming::open_partial() {
  for (int tries = 0; tries < 10; ++tries) {
    if (try_open()) return;
  }
  throw tool::Failure(tool::temporary, fmt::format("write {}: another transfer is writing it", slot_.shown));
}

// A partial file must be a plain file of ours with one name. Anything else (a symbolic or hard link, a
// pipe) is a trap and is removed.
bool Incoming::try_open() {
  const int at = slot_.directory.get();
  constexpr int kFlags = O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  file_ = Fd(::openat(at, partial_.c_str(), O_RDWR | kFlags, 0600));
  readable_ = static_cast<bool>(file_);
  // Where files may not be read, a transfer that broke off begins anew.
  if (!file_ && errno == EACCES) file_ = Fd(::openat(at, partial_.c_str(), O_WRONLY | kFlags, 0600));
  struct stat opened {};
  const bool usable = file_ && ::fstat(file_.get(), &opened) == 0 && S_ISREG(opened.st_mode) &&
                      opened.st_uid == ::geteuid() && opened.st_nlink == 1;
  if (!usable) {
    if (!file_ && errno != ELOOP && errno != ENXIO && errno != EISDIR) fail_file("write " + slot_.shown);
    if (::unlinkat(at, partial_.c_str(), 0) != 0 && errno != ENOENT) fail_file("write " + slot_.shown);
    return false;
  }
  if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
    throw tool::Failure(tool::temporary, fmt::format("write {}: another transfer is writing it", slot_.shown));
  }
  // The previous holder of the lock may have put the file in its place meanwhile. Then the opened file is the
  // finished one, and must not be touched.
  struct stat named {};
  return ::fstatat(at, partial_.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 && named.st_ino == opened.st_ino &&
         named.st_dev == opened.st_dev;
}

Have Incoming::examine(const std::function<void()>& tick) {
  struct stat found {};
  if (::fstat(file_.get(), &found) != 0) fail_file("read " + slot_.shown);
  const auto size = static_cast<std::uint64_t>(found.st_size);
  if (size == 0 || size > head_.size || !readable_) return {};
  const auto chunk = std::make_unique<char[]>(kChunk);
  std::uint64_t done = 0;
  while (done < size) {
    tick();
    const ssize_t got =
        ::pread(file_.get(), chunk.get(), std::min<std::uint64_t>(kChunk, size - done), static_cast<off_t>(done));
    if (got <= 0) fail_file("read " + slot_.shown);
    digest_.add(chunk.get(), static_cast<std::size_t>(got));
    done += static_cast<std::uint64_t>(got);
  }
  examined_ = size;
  return {size, digest_.hex()};
}

void Incoming::start(std::uint64_t offset) {
  if (offset != 0 && offset != examined_)
    throw tool::Failure(tool::bad_input, "protocol: an offset that was not offered");
  if (offset == 0) digest_.restart();
  if (::ftruncate(file_.get(), static_cast<off_t>(offset)) != 0) fail_file("write " + slot_.shown);
  position_ = offset;
  const auto more = static_cast<off_t>(head_.size - offset);
  // Some file systems cannot reserve space; then a full disk is noticed later.
  if (more > 0 && ::fallocate(file_.get(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset), more) != 0 &&
      errno != EOPNOTSUPP && errno != ENOSYS && errno != EINTR) {
    fail_file("write " + slot_.shown);
  }
}

void Incoming::write(const char* bytes, std::size_t count) {
  if (count > head_.size - position_) throw tool::Failure(tool::bad_input, "protocol: more data than announced");
  digest_.add(bytes, count);
  while (count > 0) {
    const ssize_t put = ::pwrite(file_.get(), bytes, count, static_cast<off_t>(position_));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) fail_file("write " + slot_.shown);
    bytes += put;
    count -= static_cast<std::size_t>(put);
    position_ += static_cast<std::uint64_t>(put);
  }
}

void Incoming::finish(const std::string& sha256) {
  if (position_ != head_.size || digest_.hex() != sha256) {
    discard();
    throw tool::Failure(tool::untrusted, fmt::format("{}: checksum mismatch, the file was discarded", slot_.shown));
  }
  const std::timespec times[2] = {{0, UTIME_OMIT}, head_.mtime};
  if (::fchmod(file_.get(), head_.mode & 0777) != 0) fail_file("chmod " + slot_.shown);
  if (::futimens(file_.get(), times) != 0) fail_file("set the time of " + slot_.shown);
  if (::fsync(file_.get()) != 0) fail_file("write " + slot_.shown);
  if (::renameat(slot_.directory.get(), partial_.c_str(), slot_.directory.get(), slot_.name.c_str()) != 0) {
    fail_file("rename to " + slot_.shown);
  }
  ::fsync(slot_.directory.get());  // some file systems cannot do this
}

void Incoming::discard() { ::unlinkat(slot_.directory.get(), partial_.c_str(), 0); }

}  // namespace asp_cp
