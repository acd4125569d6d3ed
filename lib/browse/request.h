// browse/request: what a client of ascmd asks for, line by line.
//
//   as_session_init --protocol=2 --host=faspex.example.com
//   as_ls -f "*.pdf" "/reports \"2026\""
//   as_exit
//
// Words are parted by spaces. A word, or a part of it, may stand in double or single quotes; a backslash takes the next
// byte as it is, within quotes, too, also the LF that would end the line. All other bytes stand for themselves.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace browse {

constexpr std::size_t kMaxLine = 65536;  // bytes

// Bytes in, lines out.
class Lines {
 public:
  struct Line {
    std::string text;       // without its LF
    bool too_long = false;  // and skipped: more than kMaxLine
  };
  void add(std::string_view bytes);
  std::optional<Line> next();
  // What came after the last LF, at the end of the input.
  std::optional<Line> rest();

 private:
  Line take();

  std::string held_;    // bytes
  std::size_t at_ = 0;  // those before it have been looked at
  Line line_;           // and are here
  bool escaped_ = false;
};

enum class Operation { session_init, exit, info, ls, du, df, md5sum, mkdir, rm, mv, cp };

struct Request {
  Operation operation = Operation::exit;
  int protocol = 0;                // of session_init; 0: not said
  std::vector<std::string> globs;  // of ls: names to show, 4096 bytes in all; empty: all
  std::vector<std::string> paths;  // as many as the operation has; none is empty or has a NUL. df: one or none
  bool operator==(const Request&) const = default;
};

// Absent: nothing is asked (an empty line). Failure{65}.
std::optional<Request> parse_request(std::string_view line);

// The words of `line`; Failure{65}: a quote is not closed, nothing follows a backslash.
std::vector<std::string> request_words(std::string_view line);

// `word` as it is written in a line, so that request_words gives it back.
std::string quoted(std::string_view word);

// True if the whole of `name` matches: * any bytes, ? any byte, [a-z] [!a-z] one of a set, a backslash the next byte.
// The time is bounded by the product of the lengths.
bool glob_matches(std::string_view glob, std::string_view name);

}  // namespace browse
