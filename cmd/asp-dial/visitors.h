// visitors: the sessions that come to an asp-dial which keeps its connection, one
// after another; asp-dial(1), option -R.
//
// Each comes over a Unix socket from root, with one record and three descriptors
// (SCM_RIGHTS), which become our stdin, stdout and stderr:
//
//   command=ascp -S. -V1
//   term=xterm
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/deadline.h"
#include "base/fd.h"
#include "base/signals.h"
#include "ssh/upstream.h"

struct Visit {
  Fd control;  // the socket that the session came by
  std::string command;
  std::string term;
};

class Visitors {
 public:
  // Listens on `listener`. Blocks HUP, INT, QUIT and TERM, which end the waiting.
  explicit Visitors(int listener);

  // Absent: no session has come within 10 s.
  std::optional<Visit> first();
  // After a session: closes its descriptors, and waits for the next, at most `patience`. Absent: none came,
  // the connection is lost, the proxy is stopped or drained, or we are to end.
  std::optional<Visit> next(upstream::Session& session, std::chrono::seconds patience);

 private:
  std::optional<Visit> wait(upstream::Session* session, const Deadline& deadline);

  const int listener_;
  const Fd null_;  // none can be opened once we are logged in
  Signals signals_{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
};
