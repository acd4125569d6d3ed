#include "browse/answers.h"

#include <sys/stat.h>

#include <array>
#include <cstring>
#include <ctime>

#include "browse/tlv.h"

namespace browse {
namespace {

// Those of `stat`, from 1.
enum StatField : std::uint8_t {
  name_ = 1,
  size_,
  mode_,
  mode_text_,
  uid_,
  user_,
  gid_,
  group_,
  ctime_,
  ctime_text_,
  mtime_,
  mtime_text_,
  atime_,
  atime_text_,
  target_,
  errno_,
  error_text_
};

void put_time(std::string& out, std::uint8_t type, std::int64_t time) {
  put_int64(out, type, time);
  put_text(out, static_cast<std::uint8_t>(type + 1), time_text(time));
}

void put_known(std::string& out, const Known& known) {
  put_int64(out, size_, known.size);
  put_int32(out, mode_, static_cast<std::int32_t>(known.mode));
  put_text(out, mode_text_, mode_text(known.mode));
  put_int32(out, uid_, static_cast<std::int32_t>(known.uid));
  if (!known.user.empty()) put_text(out, user_, known.user);
  put_int32(out, gid_, static_cast<std::int32_t>(known.gid));
  if (!known.group.empty()) put_text(out, group_, known.group);
  put_time(out, ctime_, known.ctime);
  put_time(out, mtime_, known.mtime);
  put_time(out, atime_, known.atime);
}

std::string stat_value(const Stat& stat) {
  std::string value;
  put_text(value, name_, stat.name);
  if (stat.known) put_known(value, *stat.known);
  if (!stat.target.empty()) put_text(value, target_, stat.target);
  if (stat.error != 0) {
    put_int32(value, errno_, stat.error);
    put_text(value, error_text_, std::strerror(stat.error));
  }
  return value;
}

std::string whole(std::uint8_t type, const std::string& value) {
  std::string answer;
  put(answer, type, value);
  return answer;
}

char kind_of(std::uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR: return 'd';
    case S_IFLNK: return 'l';
    case S_IFIFO: return 'p';
    case S_IFSOCK: return 's';
    case S_IFCHR: return 'c';
    case S_IFBLK: return 'b';
    default: return '-';
  }
}

// `into` gets the number or text in `value`. False: it is malformed.
bool take(std::string_view value, std::int64_t& into) {
  const auto number = int64_in(value);
  if (number) into = *number;
  return number.has_value();
}
bool take(std::string_view value, std::int32_t& into) {
  const auto number = int32_in(value);
  if (number) into = *number;
  return number.has_value();
}
bool take(std::string_view value, std::uint32_t& into) {
  std::int32_t number = 0;
  const bool whole_number = take(value, number);
  into = static_cast<std::uint32_t>(number);
  return whole_number;
}
bool take(std::string_view value, std::string& into) {
  auto text = text_in(value);
  if (text) into = std::move(*text);
  return text.has_value();
}

bool take_known(const Field& field, Known& known) {
  switch (field.type) {
    case size_: return take(field.value, known.size);
    case mode_: return take(field.value, known.mode);
    case uid_: return take(field.value, known.uid);
    case user_: return take(field.value, known.user);
    case gid_: return take(field.value, known.gid);
    case group_: return take(field.value, known.group);
    case ctime_: return take(field.value, known.ctime);
    case mtime_: return take(field.value, known.mtime);
    case atime_: return take(field.value, known.atime);
    default: return true;
  }
}

}  // namespace

std::string mode_text(std::uint32_t mode) {
  constexpr std::string_view kLetters = "rwxrwxrwx";
  std::string text(1, kind_of(mode));
  for (std::size_t i = 0; i < kLetters.size(); ++i) text += (mode >> (8 - i) & 1) != 0 ? kLetters[i] : '-';
  const auto mark = [&](std::uint32_t bit, std::size_t at, char letter) {
    if ((mode & bit) != 0) text[at] = static_cast<char>(text[at] == 'x' ? letter : letter - 'a' + 'A');
  };
  mark(S_ISUID, 3, 's');
  mark(S_ISGID, 6, 's');
  mark(S_ISVTX, 9, 't');
  return text;
}

std::string time_text(std::int64_t time) {
  const std::time_t seconds = time;
  std::tm parts{};
  char text[64];
  // A year that does not fit into an int has no text.
  if (!::gmtime_r(&seconds, &parts)) return "-";
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%SZ", &parts)};
}

void put_entry(std::string& out, const Stat& stat) { put(out, file, stat_value(stat)); }

std::string file_answer(const Stat& stat) { return whole(file, stat_value(stat)); }

std::string size_answer(const Size& found) {
  std::string value;
  put_int64(value, 1, found.bytes);
  put_int32(value, 2, found.files);
  put_int32(value, 3, found.directories);
  put_int32(value, 4, found.failed_files);
  put_int32(value, 5, found.failed_directories);
  return whole(size, value);
}

std::string error_answer(int number, const std::string& text) {
  std::string value;
  put_int32(value, 1, number);
  put_text(value, 2, text);
  return whole(error, value);
}

std::string info_answer(const Info& about) {
  std::string value;
  put_text(value, 1, about.platform);
  put_text(value, 2, about.version);
  put_text(value, 3, "en");
  put_text(value, 4, "US");
  put_text(value, 5, "UTF-8");
  for (const std::uint8_t locale : {6, 7, 8, 9}) put_text(value, locale, "C");
  put_text(value, 10, "/");
  put_text(value, 11, about.capabilities);
  put_text(value, 12, std::to_string(about.protocol));
  return whole(info, value);
}

std::string success_answer() { return whole(success, ""); }

std::string disk_answer(const std::vector<Disk>& disks) {
  std::string value;
  for (const auto& disk : disks) {
    put_text(value, 1, disk.name);
    put_text(value, 2, disk.directory);
    put_text(value, 3, disk.kind);
    put_int64(value, 4, disk.total);
    put_int64(value, 5, disk.used);
    put_int64(value, 6, disk.free);
    put_int64(value, 7, disk.files);
  }
  return whole(df, value);
}

std::string md5sum_answer(const std::string& hex) {
  std::string value;
  put_text(value, 1, hex);
  return whole(md5sum, value);
}

std::optional<Stat> stat_in(std::string_view value) {
  const auto all = fields(value);
  if (!all) return std::nullopt;
  Stat stat;
  Known known;
  bool named = false;
  for (const auto& field : *all) {
    bool good = true;
    switch (field.type) {
      case name_: good = named = take(field.value, stat.name); break;
      case target_: good = take(field.value, stat.target); break;
      case errno_: good = take(field.value, stat.error); break;
      case mode_: stat.known.emplace(); [[fallthrough]];
      default: good = take_known(field, known);
    }
    if (!good) return std::nullopt;
  }
  if (!named) return std::nullopt;
  // The mode is what tells a file from a directory: without it nothing is known.
  if (stat.known) stat.known = known;
  return stat;
}

std::optional<std::vector<Stat>> entries_in(std::string_view value) {
  const auto all = fields(value);
  if (!all) return std::nullopt;
  std::vector<Stat> found;
  for (const auto& field : *all) {
    auto stat = stat_in(field.value);
    if (!stat) return std::nullopt;
    found.push_back(std::move(*stat));
  }
  return found;
}

std::optional<Size> size_in(std::string_view value) {
  const auto all = fields(value);
  if (!all) return std::nullopt;
  Size found;
  for (const auto& [type, text] : *all) {
    const bool good = type == 1   ? take(text, found.bytes)
                      : type == 2 ? take(text, found.files)
                      : type == 3 ? take(text, found.directories)
                      : type == 4 ? take(text, found.failed_files)
                      : type == 5 ? take(text, found.failed_directories)
                                  : true;
    if (!good) return std::nullopt;
  }
  return found;
}

std::optional<Error> error_in(std::string_view value) {
  const auto all = fields(value);
  if (!all) return std::nullopt;
  Error found;
  for (const auto& [type, text] : *all) {
    if ((type == 1 && !take(text, found.number)) || (type == 2 && !take(text, found.text))) return std::nullopt;
  }
  return found;
}

}  // namespace browse
