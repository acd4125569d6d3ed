// holder: one asp-pinhole, that lives as long as this object's pipe to it;
// asp-pinhole(8).
#pragma once

#include <optional>
#include <string>

#include "privileged.h"
#include "request.h"

class Holder : public Privileged {
 public:
  // Starts it and sends the request: verification runs while the dialer dials.
  Holder(const std::string& session, const Request& request);

  // Names the server: `host` as the route writes it, `address` where it is.
  void choose(const std::string& host, const std::string& address);

  // Waits at most `seconds` for the next line; absent: it ended or is silent,
  // or `other_fd` became readable.
  std::optional<status::Line> await(int seconds, int other_fd);

  // Closes the pipe that keeps it alive.
  void release() { in_.reset(); }

 private:
  struct Pipes;
  Holder(const std::string& session, const Request& request, Pipes pipes);

  Fd in_;
};
