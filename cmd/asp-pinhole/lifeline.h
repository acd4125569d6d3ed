// lifeline: keeps a pinhole open as long as its stdin is open, the session process and the client's
// SSH connection live, and no signal ends it. Whichever ends first ends the pinhole.
#pragma once

#include <chrono>
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

  // From here on the caller's processes count, too; once the caller is verified, their state and the client's
  // connection as well. `caller` must outlive this.
  void depend_on(const caller::Caller& caller) { caller_ = &caller; }
  void keep_vigil() { vigil_.emplace(*caller_); }

  // The next record on stdin, which may carry two; absent when the life ended first. Failure{65} when the
  // input is not a record, or more; Failure{75} after `patience`.
  std::optional<Record> next_record(std::chrono::seconds patience);

  // From here on only a signal ends it, no longer stdin and the caller.
  void detach();

  enum class Woken { by_watch, by_time, by_end };
  // Waits until `watch_fd` (-1: none) is readable, `deadline` is over, or the life ends; also by_time when
  // something else happened meanwhile.
  Woken wait(int watch_fd, const Deadline& deadline);

  // True if the next wait() will end by a signal, or since the session process, the client's connection or stdin has
  // ended. Waits for nothing and takes nothing, so it may be asked while an Alarm lives.
  bool must_end() const;

  bool ended() const { return !reason_.empty(); }
  // Why it ended: "EOF", "SIGTERM", "sudo ended", "session process ended", "SSH
  // connection ended", and what Vigil says; empty before.
  const std::string& reason() const { return reason_; }
  // True if Vigil said so: then no other process need have noticed.
  bool deserted() const { return deserted_; }

 private:
  void read_stdin();
  void read_signal();

  const caller::Caller* caller_ = nullptr;
  std::optional<caller::Vigil> vigil_;
  bool deserted_ = false;
  bool attached_ = true;
  Signals signals_{SIGTERM, SIGINT, SIGHUP};
  io::LineBuffer lines_{Record::kMaxBytes};
  record::Parser parser_;
  static constexpr int kMaxRecords = 2;
  std::deque<Record> records_;  // received, not yet asked for
  int received_ = 0;
  std::string reason_;
};
