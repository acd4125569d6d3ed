#include "base/logging.h"

#include <syslog.h>

#include <charconv>
#include <ctime>
#include <optional>
#include <utility>
#include <vector>

#include "base/log_file.h"
#include "base/log_socket.h"

namespace logging {
namespace {

int level_ = 0;
const char* ident_ = "";
std::string directory_;
std::optional<uid_t> of_;
std::string context_;
bool complained_ = false;
log_socket::Socket syslog_;

struct Line {
  std::time_t when;
  int priority;
  std::string ident;
  std::string text;
  bool file_only;
};
int locks_ = 0;               // how many of Later there are
std::vector<Line> withheld_;  // because of them

bool is_control(unsigned char byte) { return byte < 0x20 || byte == 0x7f; }

std::string on_one_line(const std::string& message) {
  std::string out;
  for (const unsigned char byte : message) {
    if (is_control(byte)) out += fmt::format("\\x{:02x}", byte);
    else out += static_cast<char>(byte);
  }
  return out;
}

// False when the line has to go to syslog.
bool wrote_to_file(const Line& line) {
  if (directory_.empty()) return false;
  const std::string why = log_file::append(directory_, log_file::line(line.when, line.ident, line.text), of_);
  if (why.empty()) return true;
  if (!complained_)
    syslog_.send(LOG_ERR, line.when, ident_, fmt::format("ERR {}; logging to syslog instead", on_one_line(why)));
  complained_ = true;
  return false;
}

void put(Line line) {
  if (locks_ > 0) withheld_.push_back(std::move(line));
  else if (!wrote_to_file(line) && !line.file_only) syslog_.send(line.priority, line.when, line.ident, line.text);
}

}  // namespace

std::string escape(std::string_view untrusted) {
  std::string out;
  out.reserve(untrusted.size());
  for (const unsigned char byte : untrusted) {
    if (byte == '\\') out += "\\\\";
    else if (byte >= 0x20 && byte < 0x7f) out += static_cast<char>(byte);
    else out += fmt::format("\\x{:02x}", byte);
  }
  return out;
}

std::string told(std::string_view untrusted) { return without_fields(escape(untrusted)); }

namespace {

std::string without(char byte, std::string text) {
  for (auto at = text.find(byte); at != text.npos; at = text.find(byte, at))
    text.replace(at, 1, fmt::format("\\x{:02x}", static_cast<unsigned char>(byte)));
  return text;
}

}  // namespace

std::string without_fields(std::string text) { return without('=', std::move(text)); }

std::string field(std::string_view untrusted) { return without(' ', told(untrusted)); }

std::string unescape(std::string_view escaped) {
  std::string out;
  for (; !escaped.empty(); escaped.remove_prefix(1)) {
    unsigned byte = 0;
    if (escaped.starts_with("\\\\")) {
      escaped.remove_prefix(1);
    } else if (escaped.size() >= 4 && escaped.starts_with("\\x") &&
               std::from_chars(escaped.data() + 2, escaped.data() + 4, byte, 16).ptr == escaped.data() + 4) {
      out += static_cast<char>(byte);
      escaped.remove_prefix(3);
      continue;
    }
    out += escaped[0];
  }
  return out;
}

void open(const char* ident) { ident_ = ident; }

Later::Later() { ++locks_; }

Later::~Later() {
  if (--locks_ > 0) return;
  for (auto& line : std::exchange(withheld_, {})) put(std::move(line));
}

void set_level(int level) { level_ = level; }

void set_directory(const std::string& directory) { directory_ = directory; }

void set_user(uid_t uid) { of_ = uid; }

void set_context(const std::string& words) { context_ = words; }

bool debugging(int level) { return level <= level_; }

void write(int priority, const char* word, const std::string& message) {
  put({std::time(nullptr), priority, ident_, fmt::format("{} {}", word, on_one_line(message)), false});
}

void tell_of_session(const std::string& message) {
  put({std::time(nullptr), LOG_NOTICE, "ascp_rproxy", "LOG " + on_one_line(message), true});
}

void debug(const char* word, const std::string& message) {
  constexpr std::size_t kMaxMessage = 3000;  // leaves room for the context
  const std::string shown = message.size() > kMaxMessage ? fmt::format("{:.{}}...", message, kMaxMessage) : message;
  write(LOG_DEBUG, word, context_.empty() ? shown : fmt::format("{} {}", shown, context_));
}

}  // namespace logging
