// base/logging: lines for the administrator, in syslog facility local2, or in
// <log_directory> (base/log_file.h).
//
//   ascp_rproxy[26250]: LOG Received connection request from 10.0.31.133
//
// The words after the ident are those of the admin guide ("Tracking connection
// status with proxy logs"): LOG, ERR, DBG1, DBG2. No secret is logged.
//
// Untrusted bytes are escaped once, where a message leaves the program: by the caller
// that logs a line, by tool::guard for a Failure, by a status line. The reason of a
// Failure has them unescaped.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include <fmt/format.h>

namespace logging {

// Every byte outside printable ASCII becomes \xNN, a backslash becomes \\, so
// that no log line or terminal can be forged from outside.
std::string escape(std::string_view untrusted);

// The same, for words of somebody else's that stand in front of fields of ours (name=value): each = becomes \x3d,
// so that they contain no field. Where they are the last of a line, escape() is enough.
std::string told(std::string_view untrusted);
// The same without escape(), for the reason of a Failure.
std::string without_fields(std::string text);

// The same, for the value of a field: it has no blank, either, and a field can follow.
std::string field(std::string_view untrusted);

// Reverts escape(), for messages of another tool of the suite, which escaped them. Text that escape()
// never writes stays as it is.
std::string unescape(std::string_view escaped);

// `ident` must outlive the program. Called by tool::guard.
void open(const char* ident);

// 0: LOG and ERR only; 1: DBG1 too; 2: DBG2 too (<log_level> of aspera.conf).
void set_level(int level);

// From here on lines go to the file in that directory; empty: to syslog. A line that cannot be written
// there goes to syslog, and the first such line is preceded by the reason. For programs of root's.
void set_directory(const std::string& directory);

// From here on lines in that file are on behalf of this user, who has a share of it.
void set_user(uid_t uid);

// Sets the end of DBG1 and DBG2 lines, which tells whose they are ("session=UUID").
void set_context(const std::string& words);

// While one of these lives, no line is written; the last to end writes them. Whoever has a lock has one of these, so
// that nobody waits for syslog, or for a disk, together with others. For programs with one thread.
class Later {
 public:
  Later();
  Later(const Later&) = delete;
  ~Later();
};

// Writes one line, waiting for syslog for half a second at most (base/log_socket.h). Unprintable bytes that are still
// in `message` are escaped.
void write(int priority, const char* word, const std::string& message);
bool debugging(int level);
void debug(const char* word, const std::string& message);  // with the context

// A step of a session as its helpers, which are root's, know it: in the file alone, under the name of ascp_rproxy,
// which tells the same in syslog but cannot write to the file.
void tell_of_session(const std::string& message);

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
  if (debugging(1)) debug("DBG1", fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void debug2(fmt::format_string<Args...> format, Args&&... args) {
  if (debugging(2)) debug("DBG2", fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace logging
