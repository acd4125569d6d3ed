// base/failure: the reason why a program cannot go on, and its exit code.
//
//   throw tool::Failure(tool::config, "open /etc/x: Permission denied");
//
// The exit codes are the one table that every man page cites; the numbers are
// those of sysexits(3). guard() (base/tool.h) turns a Failure into one line and one code.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace tool {

// Unscoped on purpose: ascp_rproxy and asp-dial also return the remote
// command's own status, so run() returns int and these convert to it.
enum Exit : int {
  yes = 0,             // done
  no = 1,              // a normal "no": no rule matches
  usage = 64,          // options are wrong
  bad_input = 65,      // stdin, or the peer on it, is malformed
  unavailable = 69,    // the internal server cannot be reached
  internal = 70,       // a fault of ours
  os = 71,             // the system refused: fork, open, a missing program
  io = 74,             // reading or writing failed
  temporary = 75,      // drained, limits reached, all hosts faulty: try again
  untrusted = 76,      // host key unknown or changed, or protocol broken
  not_permitted = 77,  // not allowed
  config = 78,         // configuration is wrong
};

// The reason is "open /etc/x: Permission denied", that is verb, object, reason. It has untrusted bytes
// unescaped: guard() escapes them. It is thrown anywhere and caught once, in guard().
class Failure : public std::runtime_error {
 public:
  Failure(Exit code, const std::string& reason) : std::runtime_error(reason), code_(code) {}
  // `told` is the line for a remote user, where remote_line(code) would mislead.
  Failure(Exit code, const std::string& reason, std::string told)
      : std::runtime_error(reason), code_(code), told_(std::move(told)) {}
  Exit code() const { return code_; }
  const std::string& told() const { return told_; }
  // The session or user that it concerns, for the log, after the reason: escaped fields; usually empty.
  const std::string& identity() const { return identity_; }
  Failure with_identity(std::string identity) const {
    Failure copy = *this;
    copy.identity_ = std::move(identity);
    return copy;
  }
  // It is in the log already, or has no line of its own there.
  bool logged() const { return logged_; }
  Failure as_logged(bool logged = true) const {
    Failure copy = *this;
    copy.logged_ = logged;
    return copy;
  }

 private:
  Exit code_;
  std::string told_;
  std::string identity_;
  bool logged_ = false;
};

// Throws Failure{code, "verb object: strerror(errno)"}.
[[noreturn]] void fail_errno(Exit code, const std::string& verb_and_object);

// True if `code`, an exit status of another tool of the suite, is one of the table.
bool is_exit(int code);

}  // namespace tool
