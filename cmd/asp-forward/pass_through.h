// pass_through: connects standard input and output to a TCP port, as ssh(1) expects of a ProxyCommand.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "base/address.h"
#include "base/await.h"
#include "base/fd.h"
#include "base/outlet.h"
#include "base/signals.h"
#include "held_lease.h"

namespace forward {

class PassThrough {
 public:
  // Connects. Failure{69}; {128+n} by a signal.
  PassThrough(const Endpoint& to, std::chrono::milliseconds patience, HeldLease& held, Signals& signals);

  // Runs until the server has closed its side and all bytes are through, or a signal comes (ssh(1) ends its
  // ProxyCommand with SIGHUP), whose 128+n is returned; 74 when our reader is gone, 75 when the lease is over.
  // Each direction ends by itself. Failure{69} when the connection is lost, {74} when output can no longer be
  // written.
  int run();

 private:
  struct Ready {
    await::On in, server, out;
  };

  void take_in();
  void send_on();
  void take_out();
  void stop_sending();
  [[noreturn]] void lost(int error) const;
  Ready wait() const;
  bool finished() const;

  Endpoint to_;
  HeldLease& held_;
  Signals& signals_;
  Fd socket_;
  Outlet out_;
  std::string pending_;  // to be sent to the server
  bool stdin_open_ = true;
  bool server_done_ = false;  // the server sends no more
};

}  // namespace forward
