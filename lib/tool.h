// tool: how every program of the suite begins and ends.
//
//   int main(int argc, char** argv) {
//     return tool::guard("asp-match", run, argc, argv, tool::Audience::operators);
//   }
//
// The exit codes below are the one table that every man page cites; the
// numbers are those of sysexits(3).
#pragma once

#include <stdexcept>
#include <string>

namespace tool {

// Unscoped on purpose: ascp_rproxy and asp-dial also return the remote
// command's own status, so run() returns int and these convert to it.
enum Exit : int {
  yes = 0,             // done
  no = 1,              // a normal "no": no rule matches
  usage = 64,          // options are wrong
  bad_input = 65,      // stdin, or the peer on it, does not keep to the contract
  unavailable = 69,    // the internal server cannot be reached
  internal = 70,       // a fault of ours
  os = 71,             // the system refused: fork, open, a missing program
  io = 74,             // reading or writing failed
  temporary = 75,      // drained, limits reached, all hosts faulty: try again
  untrusted = 76,      // host key unknown or changed, or protocol broken
  not_permitted = 77,  // not allowed
  config = 78,         // configuration is wrong
};

// Why a program cannot go on: "open /etc/x: Permission denied", that is verb,
// object, reason, with untrusted bytes as they came: guard() escapes them.
// Thrown anywhere, caught once, in guard().
class Failure : public std::runtime_error {
 public:
  Failure(Exit code, const std::string& reason) : std::runtime_error(reason), code_(code) {}
  // With what a remote user is told, where remote_line(code) would mislead.
  Failure(Exit code, const std::string& reason, std::string told)
      : std::runtime_error(reason), code_(code), told_(std::move(told)) {}
  Exit code() const { return code_; }
  const std::string& told() const { return told_; }

 private:
  Exit code_;
  std::string told_;
};

// Throws Failure{code, "verb object: strerror(errno)"}.
[[noreturn]] void fail_errno(Exit code, const std::string& verb_and_object);

// Whether the exit `code` of another tool of the suite is one of the table.
bool is_exit(int code);

// Who reads stderr. Operators get the whole reason there. A remote user gets
// one line without internals; the reason goes to syslog.
enum class Audience { operators, remote };

// The one line that a remote user gets for `code`.
const char* remote_line(Exit code);

// Makes sure that descriptors 0 to 2 exist, ignores SIGPIPE (writing to a
// closed pipe then fails with EPIPE: exit 74) and SIGXFSZ, opens the log, calls `run`, and
// turns whatever it throws into one line and one exit code.
int guard(const char* name, int (*run)(int argc, char** argv), int argc, char** argv, Audience audience);

}  // namespace tool
