#include "base/logging.h"

#include <syslog.h>

#include <charconv>
#include <optional>

#include "base/log_file.h"

namespace logging {
namespace {

int level_ = 0;
const char* ident_ = "";
std::string directory_;
std::optional<uid_t> of_;
std::string context_;
bool complained_ = false;

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
bool wrote_to_file(const char* ident, const std::string& text) {
  if (directory_.empty()) return false;
  const std::string why = log_file::append(directory_, log_file::line(::time(nullptr), ident, text), of_);
  if (why.empty()) return true;
  if (!complained_) ::syslog(LOG_ERR, "ERR %s; logging to syslog instead", why.c_str());
  complained_ = true;
  return false;
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

void open(const char* ident) {
  ident_ = ident;
  ::openlog(ident, LOG_PID, LOG_LOCAL2);
}

void set_level(int level) { level_ = level; }

void set_directory(const std::string& directory) { directory_ = directory; }

void set_user(uid_t uid) { of_ = uid; }

void set_context(const std::string& words) { context_ = words; }

bool debugging(int level) { return level <= level_; }

void write(int priority, const char* word, const std::string& message) {
  const std::string text = fmt::format("{} {}", word, on_one_line(message));
  if (!wrote_to_file(ident_, text)) ::syslog(priority, "%s", text.c_str());
}

void tell_of_session(const std::string& message) { wrote_to_file("ascp_rproxy", "LOG " + on_one_line(message)); }

void debug(const char* word, const std::string& message) {
  constexpr std::size_t kMaxMessage = 3000;  // leaves room for the context
  const std::string shown = message.size() > kMaxMessage ? fmt::format("{:.{}}...", message, kMaxMessage) : message;
  write(LOG_DEBUG, word, context_.empty() ? shown : fmt::format("{} {}", shown, context_));
}

}  // namespace logging
