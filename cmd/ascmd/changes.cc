#include "changes.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string_view>
#include <vector>

#include "base/hex.h"
#include "entries.h"
#include "trouble.h"

namespace ascmd {
namespace {

constexpr std::size_t kChunk = 256 * 1024;
constexpr int kReadFlags = O_RDONLY | O_NONBLOCK | O_NOCTTY;

struct stat status_of(const Fd& fd) {
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) throw Trouble();
  return status;
}

bool is_same(const struct stat& a, const struct stat& b) { return a.st_dev == b.st_dev && a.st_ino == b.st_ino; }

// It never waits for a pipe or device.
struct stat regular(const Fd& fd) {
  const auto status = status_of(fd);
  if (S_ISDIR(status.st_mode)) throw Trouble(EISDIR);
  if (!S_ISREG(status.st_mode)) throw Trouble(EINVAL, "neither a file nor a directory");
  return status;
}

Rooted::Slot slot_of(const Rooted& root, const std::string& path) {
  auto slot = root.slot(path);
  if (!slot) throw Trouble();
  return std::move(*slot);
}

// Where something that is called `name` goes, if it goes `to`.
Rooted::Slot goal(const Rooted& root, const std::string& to, const std::string& name) {
  Fd directory = root.open(to, O_PATH | O_DIRECTORY);
  if (directory) return {std::move(directory), name};
  return slot_of(root, to);
}

void remove_at(int parent, const char* name, int depth) {
  if (::unlinkat(parent, name, 0) == 0) return;
  if (errno != EISDIR) throw Trouble();
  // The next pass removes files that are added meanwhile; a program that keeps adding them wins.
  constexpr int kPasses = 5;
  for (int i = 0; i < kPasses; ++i) {
    if (::unlinkat(parent, name, AT_REMOVEDIR) == 0) return;
    if (errno != ENOTEMPTY && errno != EEXIST) break;
    if (depth == kMaxDepth) throw Trouble(ELOOP, "the directory is too deep");
    const Fd directory = open_directory(parent, name);
    if (!directory) break;
    for_each_name(directory, [&](const char* each) { remove_at(directory.get(), each, depth + 1); });
  }
  throw Trouble();
}

void copy_bytes(const Fd& from, const Fd& to) {
  bool by_kernel = true;
  std::unique_ptr<char[]> chunk;
  for (;;) {
    if (by_kernel) {
      const ssize_t count = ::copy_file_range(from.get(), nullptr, to.get(), nullptr, 1 << 30, 0);
      if (count == 0) return;
      if (count > 0 || errno == EINTR) continue;
      // Between file systems of two kinds, or those that have no such call.
      if (errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != ENOSYS) throw Trouble();
      by_kernel = false;
      chunk = std::make_unique<char[]>(kChunk);
    }
    const ssize_t count = ::read(from.get(), chunk.get(), kChunk);
    if (count == 0) return;
    if (count < 0) {
      if (errno == EINTR) continue;
      throw Trouble();
    }
    for (ssize_t done = 0; done < count;) {
      const ssize_t put = ::write(to.get(), chunk.get() + done, static_cast<std::size_t>(count - done));
      if (put < 0 && errno != EINTR) throw Trouble();
      if (put > 0) done += put;
    }
  }
}

void copy_file(const Fd& from, int parent, const std::string& name) {
  const auto source = regular(from);
  constexpr int kFlags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  const Fd to(::openat(parent, name.c_str(), kFlags, source.st_mode & 0777));
  const auto target = regular(to);
  if (is_same(source, target)) throw Trouble(EINVAL, "source and destination are the same file");
  if (::ftruncate(to.get(), 0) != 0) throw Trouble();
  try {
    copy_bytes(from, to);
  } catch (const Trouble&) {
    ::unlinkat(parent, name.c_str(), 0);
    throw;
  }
}

// `made`: the directory that the copy goes to, which may lie within what is copied.
void copy_directory(const Fd& from, int parent, const std::string& name, const struct stat* made, int depth) {
  if (depth == kMaxDepth) throw Trouble(ELOOP, "the directory is too deep");
  const mode_t mode = (status_of(from).st_mode & 0777) | 0700;
  if (::mkdirat(parent, name.c_str(), mode) != 0 && errno != EEXIST) throw Trouble();
  const Fd to(::openat(parent, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  const auto target = status_of(to);
  if (is_same(status_of(from), target)) throw Trouble(EINVAL, "source and destination are the same directory");
  if (!made) made = &target;
  for_each_name(from, [&](const char* each) {
    struct stat status {};
    if (::fstatat(from.get(), each, &status, AT_SYMLINK_NOFOLLOW) != 0) throw Trouble();
    if (is_same(status, *made)) return;
    if (!S_ISDIR(status.st_mode) && !S_ISREG(status.st_mode)) throw Trouble(EINVAL, "neither a file nor a directory");
    const Fd below(::openat(from.get(), each, kReadFlags | O_NOFOLLOW | O_CLOEXEC));
    if (S_ISDIR(status_of(below).st_mode)) copy_directory(below, to.get(), each, made, depth + 1);
    else copy_file(below, to.get(), each);
  });
}

// The name of a path whose last component is not one: the root itself, and . and .. .
std::string name_of(const Rooted& root, const std::string& path) { return slot_of(root, path).name; }

}  // namespace

void make_directory(const Rooted& root, const std::string& path) {
  const auto slot = root.slot(path);
  // The root is there.
  if (!slot) throw Trouble(errno == EBUSY ? EEXIST : errno);
  if (::mkdirat(slot->directory.get(), slot->name.c_str(), 0777) != 0) throw Trouble();
}

void remove(const Rooted& root, const std::string& path) {
  const auto slot = slot_of(root, path);
  remove_at(slot.directory.get(), slot.name.c_str(), 0);
}

void move(const Rooted& root, const std::string& from, const std::string& to) {
  const auto source = slot_of(root, from);
  const auto target = goal(root, to, source.name);
  if (::renameat(source.directory.get(), source.name.c_str(), target.directory.get(), target.name.c_str()) != 0)
    throw Trouble();
}

void copy(const Rooted& root, const std::string& from, const std::string& to) {
  const Fd source = root.open(from, kReadFlags);
  const bool directory = S_ISDIR(status_of(source).st_mode);
  const auto target = goal(root, to, name_of(root, from));
  if (directory) copy_directory(source, target.directory.get(), target.name, nullptr, 0);
  else copy_file(source, target.directory.get(), target.name);
}

std::string md5sum(const Rooted& root, const std::string& path) {
  const Fd file = root.open(path, kReadFlags);
  regular(file);
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> sum(::EVP_MD_CTX_new(), ::EVP_MD_CTX_free);
  if (!sum || ::EVP_DigestInit_ex(sum.get(), ::EVP_md5(), nullptr) != 1)
    throw Trouble(EOPNOTSUPP, "this host computes no MD5");
  const auto chunk = std::make_unique<char[]>(kChunk);
  for (;;) {
    const ssize_t count = ::read(file.get(), chunk.get(), kChunk);
    if (count == 0) break;
    if (count > 0) ::EVP_DigestUpdate(sum.get(), chunk.get(), static_cast<std::size_t>(count));
    else if (errno != EINTR) throw Trouble();
  }
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  ::EVP_DigestFinal_ex(sum.get(), digest, &size);
  return hex::encode({reinterpret_cast<const char*>(digest), size});
}

}  // namespace ascmd
