// conductor_link: the Unix socket, our stdin, between the conductor and us. The conductor sends one
// record, the request with the session's id in front, together with the session's stdin, stdout and
// stderr; then the line "run". We answer with status lines; asp-upstream(8).
//
// The conductor runs as a user, who may be hostile: nothing here waits for it without limit, and
// everything ends with the user's SSH session.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/record.h"
#include "base/signals.h"
#include "base/status.h"
#include "who/caller.h"

class ConductorLink {
 public:
  // Blocks SIGTERM, SIGINT and SIGHUP from here on, and waits for them.
  ConductorLink();

  // Must be called first, and after caller::require_own_descriptors: stdin must be a Unix stream socket; until
  // then nothing is sent. Failure{77}.
  void require_socket();
  bool is_heard() const { return verified_; }

  // The record that came with the three descriptors. Absent: the conductor ended before it sent one.
  // Failure{65}; Failure{75} after 10 s.
  std::optional<Record> await_record();

  // From here on the link also ends with the caller's processes; once the caller is verified, with the client's
  // connection as well, which a line in the log says.
  void depend_on(const caller::Caller& caller) { caller_ = &caller; }
  void keep_vigil(const std::string& session) {
    session_ = session;
    vigil_.emplace(*caller_);
  }

  // stdin, stdout and stderr of the session; empty after release_descriptors().
  const std::vector<Fd>& descriptors() const { return descriptors_; }
  // Closes our copies, which would keep sshd from seeing that the remote command closed its output.
  void release_descriptors() { descriptors_.clear(); }

  // Sends a line. If it cannot be written at once, the link ends. A last word may come when it has ended.
  void say(const status::Line& line);

  // Waits until `other_fd` is readable or something has arrived or happened. True when `other_fd` is readable.
  bool wait(int other_fd, const Deadline& deadline);
  // The next whole line from the conductor; absent: none yet.
  std::optional<std::string> next();
  // True when the conductor is gone, or the session is to end.
  bool ended() const { return end_.has_value(); }
  // Why; only once it has ended. Failure{74}: the client has left; {71}, {75}: something of ours ended it.
  const tool::Failure& end() const { return *end_; }
  // True if the conductor was killed: then nobody else tells why the session ended.
  bool deserted() const { return deserted_; }

 private:
  void hear();
  void hear_end();
  void end_by_death();
  void end_by(tool::Exit code, const char* why);

  const caller::Caller* caller_ = nullptr;
  std::optional<caller::Vigil> vigil_;
  std::string session_;  // its id, for the log
  Fd sudo_;              // pidfd
  Signals signals_{SIGTERM, SIGINT, SIGHUP};
  std::vector<Fd> descriptors_;
  io::LineBuffer lines_{Record::kMaxBytes};
  std::size_t received_ = 0;  // bytes
  bool descriptors_came_ = false;
  bool verified_ = false;
  bool deserted_ = false;
  std::optional<tool::Failure> end_;
};
