#include "logging.h"

#include <syslog.h>

namespace logging {
namespace {
int level_ = 0;
}

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

void open(const char* ident) { ::openlog(ident, LOG_PID, LOG_LOCAL2); }

void set_level(int level) { level_ = level; }

bool debugging(int level) { return level <= level_; }

void write(int priority, const char* word, const std::string& message) {
  ::syslog(priority, "%s %s", word, message.c_str());
}

}  // namespace logging
