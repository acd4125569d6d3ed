// ssh/upstream_command: the command line that an SSH server is asked to run, and how
// the server says that the command ended (RFC 4254 sections 6.5 and 6.10). Pure.
//
//   {"ascp", "-S.", "two words"}  ->  ascp -S. 'two words'
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace upstream {

// One command line that a POSIX shell splits into exactly `words` again. A word of only
// [A-Za-z0-9_@%+=:,./-] stays as it is; any other, and the empty one, is put in single quotes.
std::string shell_command(const std::vector<std::string>& words);

// How a remote command ended.
struct End {
  int status = 0;      // exit-status; meaningless when `signal` is set
  std::string signal;  // exit-signal without "SIG" ("TERM"); empty when it exited by itself

  // The status itself, or 128 + the signal's number (255 for a signal that is unknown here).
  int exit_code() const;

  // Parses a line "ended status=3" or "ended signal=TERM" (asp-dial(1)).
  static End from_line(const status::Line& line);
};

// The number of "TERM", "HUP", ... (the names of RFC 4254 section 6.10, and the others that OpenSSH
// sends followed by "@openssh.com"); 0: unknown.
int signal_number(std::string_view name);

}  // namespace upstream
