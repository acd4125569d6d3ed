// browse/answers: the answers of ascmd, as bytes (browse/tlv.h), and read back. Source: the published side of the
// protocol, as public clients decode it.
//
//   02 00000031  01 0000002c  01 00000009 "report\0" …     dir: a stat for each entry
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace browse {

// Types of answers.
enum Answer : std::uint8_t { file = 1, dir = 2, size = 3, error = 4, info = 5, success = 6, df = 8, md5sum = 9 };

// Everything about a file except its name.
struct Known {
  std::int64_t size = 0;
  std::uint32_t mode = 0;  // with the kind of the file, as stat(2)
  std::uint32_t uid = 0;
  std::string user;  // empty: unknown
  std::uint32_t gid = 0;
  std::string group;
  std::int64_t ctime = 0;
  std::int64_t mtime = 0;
  std::int64_t atime = 0;
  bool operator==(const Known&) const = default;
};
struct Stat {
  std::string name;
  std::optional<Known> known;
  std::string target;  // of a symbolic link; empty: it is none
  int error = 0;       // why nothing is known
  bool operator==(const Stat&) const = default;
};
struct Size {
  std::int64_t bytes = 0;
  std::int32_t files = 0;
  std::int32_t directories = 0;
  std::int32_t failed_files = 0;
  std::int32_t failed_directories = 0;
  bool operator==(const Size&) const = default;
};
struct Disk {
  std::string name;
  std::string directory;
  std::string kind;  // "ext4"
  std::int64_t total = 0;
  std::int64_t used = 0;
  std::int64_t free = 0;
  std::int64_t files = 0;
};
struct Info {
  std::string platform;
  std::string version;
  std::string capabilities;
  int protocol = 1;
};

// A stat as it stands in `dir`, appended to `out`.
void put_entry(std::string& out, const Stat& stat);

// Whole answers.
std::string file_answer(const Stat& stat);
std::string size_answer(const Size& size);
std::string error_answer(int number, const std::string& text);
std::string info_answer(const Info& info);
std::string success_answer();
std::string disk_answer(const std::vector<Disk>& disks);
std::string md5sum_answer(const std::string& hex);

// "drwxr-xr-x", and "2026-11-30 23:45:02Z".
std::string mode_text(std::uint32_t mode);
std::string time_text(std::int64_t time);

// Read back from the value of an answer, and of an entry of `dir`. Absent: malformed. Fields that are not known to us
// are skipped.
std::optional<Stat> stat_in(std::string_view value);
std::optional<std::vector<Stat>> entries_in(std::string_view value);
std::optional<Size> size_in(std::string_view value);
struct Error {
  int number = 0;
  std::string text;
};
std::optional<Error> error_in(std::string_view value);

}  // namespace browse
