// lifeline: keeps a pinhole open as long as its stdin is open, the session process and the client's
// SSH connection live, and no signal ends it. Whichever ends first ends the pinhole.
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "base/deadline.h"
#include "base/io.h"
#include "base/record.h"
#include "base/signals.h"
#include "who/caller.h"

class Life {
 public:
  // Blocks SIGTERM, SIGINT and SIGHUP from here on, and waits for them. The kernel sends SIGHUP when sudo, our
  // parent, dies: sudo itself passes no SIGKILL on.
  Life();

  // From here on the caller's processes count, too. `caller` must outlive this.
  void depend_on(const caller::Caller& caller) { caller_ = &caller; }

  // The next record on stdin, which may carry two; absent when the life ended first. Failure{65} when the
  // input is not a record, or more.
  std::optional<Record> next_record();

  // From here on only a signal ends it, no longer stdin and the caller.
  void detach();

  enum class Woken { by_watch, by_time, by_end };
  // Waits until `watch_fd` (-1: none) is readable, `deadline` is over, or the life ends.
  Woken wait(int watch_fd, const Deadline& deadline);

  bool ended() const { return !reason_.empty(); }
  // Why it ended: "EOF", "SIGTERM", "sudo ended", "session process ended", "SSH
  // connection ended"; empty before.
  const std::string& reason() const { return reason_; }

 private:
  void read_stdin();
  void read_signal();

  const caller::Caller* caller_ = nullptr;
  bool attached_ = true;
  Signals signals_{SIGTERM, SIGINT, SIGHUP};
  io::LineBuffer lines_{Record::kMaxBytes};
  record::Parser parser_;
  static constexpr int kMaxRecords = 2;
  std::deque<Record> records_;  // received, not yet asked for
  int received_ = 0;
  std::string reason_;
};
