#include "browse/request.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/core.h>

#include "base/decimal.h"
#include "base/failure.h"

namespace browse {
namespace {

struct Row {
  std::string_view name;
  Operation operation;
  std::size_t fewest;  // paths
  std::size_t most;
};
constexpr Row kRows[] = {
    {"as_session_init", Operation::session_init, 0, 0},
    {"as_exit", Operation::exit, 0, 0},
    {"as_info", Operation::info, 0, 0},
    {"as_ls", Operation::ls, 1, 1},
    {"as_du", Operation::du, 1, 1},
    {"as_df", Operation::df, 0, 1},
    {"as_md5sum", Operation::md5sum, 1, 1},
    {"as_mkdir", Operation::mkdir, 1, 1},
    {"as_rm", Operation::rm, 1, 1},
    {"as_mv", Operation::mv, 2, 2},
    {"as_cp", Operation::cp, 2, 2},
};
constexpr int kNewestProtocol = 2;
constexpr std::size_t kMaxGlobs = 4096;  // bytes, of all in a line

[[noreturn]] void refuse(const std::string& why) { throw tool::Failure(tool::bad_input, why); }

// Other options of as_session_init are the proxy's.
int protocol_of(const std::vector<std::string>& words) {
  constexpr std::string_view kProtocol = "--protocol=";
  int found = 0;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (!words[i].starts_with("--")) refuse("as_session_init takes options only");
    if (!words[i].starts_with(kProtocol)) continue;
    const auto number = parse_decimal(std::string_view(words[i]).substr(kProtocol.size()), 1, kNewestProtocol);
    if (!number) refuse("this protocol version is not supported");
    found = static_cast<int>(*number);
  }
  return found;
}

// Whether `byte` is in the set that begins at `at`, behind its bracket; `at` is left behind its end. Absent: the set
// has no end.
std::optional<bool> in_set(std::string_view glob, std::size_t& at, unsigned char byte) {
  std::size_t i = at;
  const bool inverted = i < glob.size() && (glob[i] == '!' || glob[i] == '^');
  if (inverted) ++i;
  bool found = false;
  for (bool first = true; i < glob.size() && (first || glob[i] != ']'); first = false) {
    const auto low = static_cast<unsigned char>(glob[i]);
    auto high = low;
    if (i + 2 < glob.size() && glob[i + 1] == '-' && glob[i + 2] != ']') {
      high = static_cast<unsigned char>(glob[i + 2]);
      i += 2;
    }
    ++i;
    found = found || (low <= byte && byte <= high);
  }
  if (i >= glob.size()) return std::nullopt;
  at = i + 1;
  return found != inverted;
}

// Whether a set that begins at `at` has an end. `last`: where the last ] of the glob is. To look for it from each [ on
// would take the square of the time.
bool ends(std::string_view glob, std::size_t at, std::size_t last) {
  const bool inverted = at < glob.size() && (glob[at] == '!' || glob[at] == '^');
  return last != glob.npos && last > at + (inverted ? 1 : 0);
}

// Whether the part of the glob at `at`, which is not a star, matches `byte`; `at` is left behind that part.
bool one_matches(std::string_view glob, std::size_t last, std::size_t& at, char byte) {
  const char c = glob[at++];
  if (c == '?') return true;
  if (c == '[' && ends(glob, at, last)) {
    if (const auto found = in_set(glob, at, static_cast<unsigned char>(byte))) return *found;
  }
  if (c == '\\' && at < glob.size()) return glob[at++] == byte;
  return c == byte;
}

}  // namespace

void Lines::add(std::string_view bytes) { held_ += bytes; }

Lines::Line Lines::take() {
  escaped_ = false;
  return std::exchange(line_, {});
}

std::optional<Lines::Line> Lines::next() {
  while (at_ < held_.size()) {
    const char c = held_[at_++];
    if (c == '\n' && !escaped_) return take();
    escaped_ = c == '\\' && !escaped_;
    if (line_.text.size() < kMaxLine) line_.text += c;
    else line_ = {std::string(1, c), true};
  }
  held_.clear();
  at_ = 0;
  return std::nullopt;
}

std::optional<Lines::Line> Lines::rest() {
  if (line_.text.empty()) return std::nullopt;
  return take();
}

std::vector<std::string> request_words(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '\\') {
      if (++i == line.size()) refuse("nothing follows a backslash");
      word += line[i];
      in_word = true;
    } else if (quote != 0) {
      if (c == quote) quote = 0;
      else word += c;
    } else if (c == '"' || c == '\'') {
      quote = c;
      in_word = true;
    } else if (c == ' ') {
      if (in_word) words.push_back(std::exchange(word, {}));
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (quote != 0) refuse("a quote is not closed");
  if (in_word) words.push_back(std::move(word));
  return words;
}

std::optional<Request> parse_request(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  const auto words = request_words(line);
  if (words.empty()) return std::nullopt;
  const auto row =
      std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& each) { return each.name == words[0]; });
  if (row == std::end(kRows)) refuse("there is no such operation");
  Request request;
  request.operation = row->operation;
  if (row->operation == Operation::session_init) {
    request.protocol = protocol_of(words);
    return request;
  }
  std::size_t at = 1;
  if (row->operation == Operation::ls) {
    std::size_t size = 0;
    for (; at + 1 < words.size() && words[at] == "-f"; at += 2) {
      size += words[at + 1].size();
      request.globs.push_back(words[at + 1]);
    }
    if (size > kMaxGlobs) refuse("the globs are too long");
  }
  request.paths.assign(words.begin() + static_cast<std::ptrdiff_t>(at), words.end());
  if (request.paths.size() < row->fewest || request.paths.size() > row->most)
    refuse(fmt::format("{} takes {}", row->name,
                       row->most == 0   ? "nothing"
                       : row->most == 2 ? "two paths"
                                        : "one path"));
  for (const auto& path : request.paths) {
    if (path.empty()) refuse("a path is empty");
    if (path.find('\0') != path.npos) refuse("a path holds a NUL");
  }
  return request;
}

std::string quoted(std::string_view word) {
  std::string text = "\"";
  for (const char c : word) {
    if (c == '"' || c == '\\' || c == '\n') text += '\\';
    text += c;
  }
  return text + "\"";
}

// Only the last star is gone back to: what an earlier one would let match, that one does, too.
bool glob_matches(std::string_view glob, std::string_view name) {
  const auto last = glob.rfind(']');
  std::size_t at = 0, done = 0;
  std::size_t star = glob.npos, from = 0;
  while (done < name.size()) {
    std::size_t next = at;
    if (at < glob.size() && glob[at] == '*') {
      star = ++at;
      from = done;
    } else if (at < glob.size() && one_matches(glob, last, next, name[done])) {
      at = next;
      ++done;
    } else if (star != glob.npos) {
      at = star;
      done = ++from;
    } else {
      return false;
    }
  }
  while (at < glob.size() && glob[at] == '*') ++at;
  return at == glob.size();
}

}  // namespace browse
