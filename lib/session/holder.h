// session/holder: one asp-pinhole, which lives as long as this object's pipe to it; asp-pinhole(8).
#pragma once

#include <string>

#include "base/record.h"
#include "session/privileged.h"

namespace session {

class Holder : public Privileged {
 public:
  // Starts it and sends the request: it is verified while the dialer dials.
  explicit Holder(const Record& asked);

  // Names the server: `host` as the route writes it, `address` as it was resolved.
  void choose(const std::string& host, const std::string& address);

  // Closes the pipe that keeps it alive.
  void release() { in_.reset(); }

 private:
  struct Pipes;
  Holder(const Record& asked, Pipes pipes);

  Fd in_;
};

}  // namespace session
