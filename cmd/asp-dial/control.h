// control: the status lines (base/status.h) between asp-dial and the program that
// conducts it, on one bidirectional descriptor; asp-dial(1) lists them.
//
//   > silent
//   > reached address=10.0.0.10:22
//   > verified
//   > connected address=10.0.0.10:22 host_key="ssh-ed25519 SHA256:…"
//     connect_ms=1 handshake_ms=25 login_ms=12
//   < run
//   > running
//   > ended status=0
#pragma once

#include <string>

#include "ssh/upstream.h"

class Control {
 public:
  // Writes lines to `output` (-1: nowhere). With `conducted` it is read, too.
  Control(int output, bool conducted) : output_(output), conducted_(conducted) {}

  // The descriptor to watch for hang-up; -1 when no program conducts us.
  int fd() const { return conducted_ ? output_ : -1; }
  // TCP takes suspiciously long; only a conductor is told.
  void silent();
  // TCP is connected; the host key is the enrolled one. Only a conductor is told.
  void reached(const Endpoint& address);
  void verified();
  // `reused`: the connection was there before this session.
  void connected(const upstream::Session& session, bool reused = false);
  // If conducted, waits for `run`, and meanwhile watches the connection. Failure{75}: the conductor is gone,
  // or sent nothing for 60 s; Failure{65}: it sent something else; Failure{69}: the connection is lost.
  void await_run(upstream::Session& session);
  void running();
  void ended(const upstream::End& end);
  // `of_client`: the server would do for another client.
  void failed(int code, const std::string& reason, bool of_client);

 private:
  void say(const std::string& line);

  int output_;
  bool conducted_;
};
