// holder: one asp-pinhole, started through sudo, that lives as long as this
// object's pipe to it; asp-pinhole(8).
#pragma once

#include <optional>
#include <string>

#include "child.h"
#include "fd.h"
#include "io.h"
#include "request.h"
#include "route.h"
#include "status.h"

class Holder {
 public:
  // Starts it and sends the request: verification runs while the dialer dials.
  Holder(const std::string& session, const Request& request);

  // Names the server: `host` as the route writes it, `address` where it is.
  void choose(const HostPort& host, const std::string& address);

  // Readable when next() has something to say.
  int fd() const { return hung_up_ ? -1 : out_.get(); }
  // Reads what is there; absent: no whole line yet. `hung_up` tells the end.
  std::optional<status::Line> next();
  bool hung_up() const { return hung_up_; }

  // Waits at most `seconds` for the next line; absent: it ended or is silent,
  // or `other_fd` became readable.
  std::optional<status::Line> await(int seconds, int other_fd);

  // Closes the pipe that keeps it alive.
  void release() { in_.reset(); }
  // What sudo or the tool itself wrote to stderr, on one line.
  std::string complaint();

 private:
  // Destroyed last: sudo runs as root and cannot be killed by a user, but it
  // ends when its pipes are closed.
  child::Child child_;
  Fd in_;
  Fd out_;
  Fd err_;
  io::LineBuffer lines_{8192};
  bool hung_up_ = false;
};
