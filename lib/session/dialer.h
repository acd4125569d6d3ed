// session/dialer: one asp-upstream that connects to an internal server, and waits with the remote
// command until it is told to run it; asp-upstream(8).
#pragma once

#include "base/record.h"
#include "session/privileged.h"

namespace session {

class Dialer : public Privileged {
 public:
  // Starts connecting. It gets stdin, stdout and stderr of the session; nothing is read from them before
  // run().
  explicit Dialer(const Record& asked) : Dialer(asked, fd::socket_pair()) {}

  void run() { io::write_all(channel().get(), "run\n"); }
  // Asks it to end, which also ends the remote command.
  void hang_up() { channel().reset(); }

 private:
  Dialer(const Record& asked, fd::Pair link);
};

}  // namespace session
