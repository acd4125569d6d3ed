#include "listing.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <deque>
#include <map>

#include <fmt/core.h>

#include "browse/answers.h"
#include "browse/request.h"
#include "browse/tlv.h"
#include "entries.h"
#include "trouble.h"

namespace ascmd {
namespace {

constexpr std::size_t kPiece = 256 * 1024;
// Some 700,000 entries. Each listing is in memory once.
constexpr std::size_t kMaxListing = 256 * 1024 * 1024;

// Names of accounts and groups, each looked up once. A server of names may take a while to say that it has none.
class Names {
 public:
  const std::string& user(uid_t uid) {
    return look_up(users_, uid, [](unsigned id) {
      const passwd* entry = ::getpwuid(id);
      return entry ? entry->pw_name : "";
    });
  }
  const std::string& group(gid_t gid) {
    return look_up(groups_, gid, [](unsigned id) {
      const ::group* entry = ::getgrgid(id);
      return entry ? entry->gr_name : "";
    });
  }

 private:
  using Known = std::map<unsigned, std::string>;
  template <typename Find>
  static const std::string& look_up(Known& known, unsigned id, Find find) {
    const auto [at, is_new] = known.try_emplace(id);
    if (is_new) at->second = find(id);
    return at->second;
  }
  Known users_;
  Known groups_;
};

std::string target_of(int directory, const char* name) {
  char target[PATH_MAX];
  const ssize_t count = ::readlinkat(directory, name, target, sizeof target);
  return count > 0 ? std::string(target, static_cast<std::size_t>(count)) : "";
}

browse::Known known_of(const struct stat& status, Names& names) {
  return {status.st_size,        status.st_mode,
          status.st_uid,         names.user(status.st_uid),
          status.st_gid,         names.group(status.st_gid),
          status.st_ctim.tv_sec, status.st_mtim.tv_sec,
          status.st_atim.tv_sec};
}

// What is to be said of `name` in `directory`; of the directory itself, if it is empty.
browse::Stat stat_of(int directory, const char* name, const std::string& shown, Names& names) {
  browse::Stat found;
  found.name = shown;
  struct stat status {};
  if (::fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0) {
    found.error = errno;
    return found;
  }
  found.known = known_of(status, names);
  if (S_ISLNK(status.st_mode)) found.target = target_of(directory, name);
  return found;
}

std::string last_of(const std::string& path) {
  const auto end = path.find_last_not_of('/');
  if (end == path.npos) return "/";
  const auto slash = path.rfind('/', end);
  return path.substr(slash == path.npos ? 0 : slash + 1, end - (slash == path.npos ? 0 : slash + 1) + 1);
}

void list_directory(const Fd& directory, const std::vector<std::string>& globs, const Write& write) {
  Names names;
  std::deque<std::string> chunks(1);
  std::size_t size = 0;
  for_each_name(directory, [&](const char* name) {
    const bool wanted = globs.empty() || std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) {
                          return browse::glob_matches(glob, name);
                        });
    if (!wanted) return;
    const std::size_t before = chunks.back().size();
    browse::put_entry(chunks.back(), stat_of(directory.get(), name, name, names));
    size += chunks.back().size() - before;
    if (size > kMaxListing) throw Trouble(EFBIG, "the directory has too many entries");
    if (chunks.back().size() < kPiece) return;
    chunks.emplace_back().reserve(kPiece + PATH_MAX);
  });
  write(browse::head(browse::dir, static_cast<std::uint32_t>(size)));
  for (; !chunks.empty(); chunks.pop_front()) write(chunks.front());
}

void add_usage(const Fd& directory, browse::Size& found, int depth) {
  for_each_name(directory, [&](const char* name) {
    struct stat status {};
    if (::fstatat(directory.get(), name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
      ++found.failed_files;
      return;
    }
    if (!S_ISDIR(status.st_mode)) {
      found.bytes += status.st_size;
      ++found.files;
      return;
    }
    ++found.directories;
    const Fd below = depth < kMaxDepth ? open_directory(directory.get(), name) : Fd();
    try {
      if (!below) throw Trouble();
      add_usage(below, found, depth + 1);
    } catch (const Trouble&) {
      ++found.failed_directories;
    }
  });
}

std::string kind_of(const Fd& place) {
  constexpr struct {
    long magic;
    const char* name;
  } kKinds[] = {{0xef53, "ext4"},     {0x58465342, "xfs"},     {0x9123683e, "btrfs"}, {0x01021994, "tmpfs"},
                {0x6969, "nfs"},      {0x794c7630, "overlay"}, {0x2fc12fc1, "zfs"},   {0x65735546, "fuse"},
                {0xff534d42, "cifs"}, {0xfe534d42, "smb2"},    {0xf2f52010, "f2fs"},  {0x4d44, "vfat"}};
  struct statfs about {};
  if (::fstatfs(place.get(), &about) != 0) return "-";
  for (const auto& [magic, name] : kKinds) {
    if (static_cast<unsigned>(magic) == static_cast<unsigned>(about.f_type)) return name;
  }
  return fmt::format("{:x}", static_cast<unsigned>(about.f_type));
}

}  // namespace

void list(const Rooted& root, const std::string& path, const std::vector<std::string>& globs, const Write& write) {
  Names names;
  const Fd place = root.open(path, O_PATH);
  if (!place) {
    // A link that leads nowhere is something, too.
    const int why = errno;
    const auto slot = root.slot(path);
    const auto found = slot ? stat_of(slot->directory.get(), slot->name.c_str(), slot->name, names) : browse::Stat{};
    if (found.target.empty()) throw Trouble(why);
    return write(browse::file_answer(found));
  }
  struct stat status {};
  if (::fstat(place.get(), &status) != 0) throw Trouble();
  if (!S_ISDIR(status.st_mode)) return write(browse::file_answer(stat_of(place.get(), "", last_of(path), names)));
  list_directory(place, globs, write);
}

std::string disk_usage(const Rooted& root, const std::string& path) {
  const Fd place = root.open(path, O_PATH);
  struct stat status {};
  if (!place || ::fstat(place.get(), &status) != 0) throw Trouble();
  browse::Size found;
  if (S_ISDIR(status.st_mode)) {
    found.directories = 1;
    add_usage(place, found, 0);
  } else {
    found.files = 1;
    found.bytes = status.st_size;
  }
  return browse::size_answer(found);
}

std::string disk_free(const Rooted& root, const std::string& path) {
  const Fd place = root.open(path, O_PATH);
  struct statvfs about {};
  if (!place || ::fstatvfs(place.get(), &about) != 0) throw Trouble();
  const auto bytes = [&](fsblkcnt_t blocks) { return static_cast<std::int64_t>(blocks * about.f_frsize); };
  browse::Disk disk;
  disk.kind = kind_of(place);
  disk.name = disk.kind;
  disk.directory = path;
  disk.total = bytes(about.f_blocks);
  disk.used = bytes(about.f_blocks - about.f_bfree);
  disk.free = bytes(about.f_bavail);
  disk.files = static_cast<std::int64_t>(about.f_files - about.f_ffree);
  return browse::disk_answer({disk});
}

}  // namespace ascmd
