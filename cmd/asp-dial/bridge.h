// bridge: carries bytes between our stdin, stdout, stderr (downstream: the client) and a command on an
// internal server (upstream), until it ends.
//
// Backpressure works both ways: stdin is read only as far as the server's window has room, and the
// server only as far as stdout and stderr have room. EOF follows the last byte, in each direction by
// itself.
#pragma once

#include <chrono>
#include <string>

#include "base/deadline.h"
#include "base/outlet.h"
#include "base/signals.h"
#include "control.h"
#include "raw_terminal.h"
#include "ssh/upstream.h"

class Bridge {
 public:
  // `silence` is how long the server may be silent before it is asked for a sign of life; after three times as
  // long it counts as lost. HUP, INT, QUIT, TERM and WINCH are blocked from here on, and handled by run().
  Bridge(upstream::Session& session, upstream::Command& command, const Terminal& terminal, int control_fd,
         std::chrono::seconds silence);

  // Returns how the command ended. Failure{69}: the connection is lost; Failure{74}: the client is gone;
  // Failure{75}: the conductor is gone; Failure{128+n}: we were told to end by signal n. The caller then
  // destroys the Command, which ends it.
  upstream::End run();

 private:
  struct Ready;
  bool finished() const;
  void pump_downstream();
  void pump_upstream();
  void pass_on(upstream::Output from, Outlet& to);
  void lose_reader(upstream::Output of);
  void close_drained_output();
  std::size_t held() const;
  bool is_paused() const;
  Deadline next_look() const;
  Ready sleep() const;
  void handle(const Ready& ready);
  void read_session();
  void read_stdin();
  void read_control();
  void read_signal();
  void watch_silence();

  using Clock = std::chrono::steady_clock;

  upstream::Session& session_;
  upstream::Command& command_;
  const Terminal& terminal_;
  int control_;
  Signals signals_{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH};
  Outlet out_;
  Outlet err_;
  std::string pending_;  // read from stdin, not yet taken by the server's window
  bool stdin_open_ = true;
  bool eof_sent_ = false;
  bool lost_ = false;
  const std::chrono::seconds silence_;
  Clock::time_point heard_ = Clock::now();
  Clock::time_point asked_ = Clock::now();
  Clock::time_point drained_{};  // when the last byte before the server's EOF was written; epoch: not yet
};
