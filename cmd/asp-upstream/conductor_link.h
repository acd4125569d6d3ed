// conductor_link: the Unix socket, our stdin, between the conductor and us. It
// sends one record, the request with the session's id in front, and with it the
// session's stdin, stdout and stderr; then the line "run". We answer with status
// lines; asp-upstream(8).
//
// The conductor runs as a user, who may be hostile: nothing here waits for him,
// and all ends with his SSH session.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/record.h"
#include "base/signals.h"
#include "base/status.h"
#include "who/caller.h"

class ConductorLink {
 public:
  // Blocks SIGTERM, SIGINT and SIGHUP from here on: they are waited for.
  ConductorLink();

  // First of all: the other end must be a socket of that user's, too; until then
  // nothing is said. Failure{77}.
  void belong_to(uid_t user);
  bool is_heard() const { return ours_; }

  // The record that came with the three descriptors. Absent: it ended before it
  // asked. Failure{65}; Failure{75} after 10 s.
  std::optional<Record> await_record();

  // From here on the link ends with the caller's processes, too.
  void depend_on(const Caller& caller) { caller_ = &caller; }

  // stdin, stdout and stderr of the session; empty after release_descriptors().
  const std::vector<Fd>& descriptors() const { return descriptors_; }
  // Ours would keep sshd from seeing that the remote command closed its output.
  void release_descriptors() { descriptors_.clear(); }

  // A line that cannot be written at once ends the link.
  void say(const status::Line& line);

  // Waits until `other_fd` is readable or something has come. True when `other_fd` is
  // readable.
  bool wait(int other_fd, const Deadline& deadline);
  // The next whole line from the conductor; absent: none yet.
  std::optional<std::string> next();
  // Nobody is there any more, or the session is to end.
  bool ended() const { return ended_; }

 private:
  void hear();

  const Caller* caller_ = nullptr;
  Fd sudo_;  // pidfd
  Signals signals_{SIGTERM, SIGINT, SIGHUP};
  std::vector<Fd> descriptors_;
  io::LineBuffer lines_{Record::kMaxBytes};
  std::size_t received_ = 0;  // bytes
  bool descriptors_came_ = false;
  bool ours_ = false;
  bool ended_ = false;
};
