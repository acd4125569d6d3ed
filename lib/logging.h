// logging: lines for the administrator, in syslog facility local2.
//
//   ascp_rproxy[26250]: LOG Received connection request from 10.0.31.133
//
// The words after the ident are those of the admin guide ("Tracking connection
// status with proxy logs"): LOG, ERR, DBG1, DBG2. Untrusted bytes are escaped
// by escape() at the place where they enter a message; no secret is logged.
#pragma once

#include <string>
#include <string_view>

#include <fmt/format.h>

namespace logging {

// Every byte outside printable ASCII becomes \xNN, a backslash becomes \\, so
// that no log line or terminal can be forged from outside.
std::string escape(std::string_view untrusted);

// `ident` must outlive the program. Called by tool::guard.
void open(const char* ident);

// 0: LOG and ERR only; 1: DBG1 too; 2: DBG2 too (<log_level> of aspera.conf).
void set_level(int level);

void write(int priority, const char* word, const std::string& message);
bool debugging(int level);

template <typename... Args>
void event(fmt::format_string<Args...> format, Args&&... args) {
  write(5 /* LOG_NOTICE */, "LOG", fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(3 /* LOG_ERR */, "ERR", fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void debug1(fmt::format_string<Args...> format, Args&&... args) {
  if (debugging(1)) write(7 /* LOG_DEBUG */, "DBG1", fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void debug2(fmt::format_string<Args...> format, Args&&... args) {
  if (debugging(2)) write(7 /* LOG_DEBUG */, "DBG2", fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace logging
