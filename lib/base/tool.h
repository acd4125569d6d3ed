// base/tool: how every program of the suite begins and ends.
//
//   int main(int argc, char** argv) {
//     return tool::guard("asp-match", kUsage, run, argc, argv, tool::Audience::operators);
//   }
#pragma once

#include "base/failure.h"

namespace tool {

// The reader of stderr. Operators get the whole reason there. A remote user gets one line without
// internals; the reason goes to syslog.
enum class Audience { operators, remote };

// The line that a remote user gets for `code`.
const char* remote_line(Exit code);

// Makes sure that descriptors 0 to 2 exist, ignores SIGPIPE (writing to a closed pipe then fails with
// EPIPE: exit 74) and SIGXFSZ, opens the log, calls `run`, and turns every exception into one line and
// one exit code. --help and --version, as the only argument, are answered here, to operators. `usage` has a line for
// each form of the command line, as for options::fail_usage; nullptr: --help is the tool's own.
int guard(const char* name, const char* usage, int (*run)(int argc, char** argv), int argc, char** argv,
          Audience audience);

}  // namespace tool
