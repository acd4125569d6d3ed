// control: the stream of messages between the two ends, over SSH.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "base/deadline.h"
#include "base/failure.h"
#include "base/io.h"
#include "base/record.h"

namespace asp_cp {

// The other end closed the stream. Its starter has to find out why.
class Gone : public tool::Failure {
 public:
  Gone() : Failure(tool::unavailable, "the SSH connection ended") {}
};

class Control {
 public:
  // Reads `in`, writes `out`; neither is owned.
  Control(int in, int out) : in_(in), out_(out), lines_(Record::kMaxBytes) {}
  virtual ~Control() = default;

  // Another descriptor to read whenever this one is waited for, until `readable` returns false.
  void attend(int fd, std::function<bool()> readable);

  // Gone when the other end no longer reads.
  void send(const Record& message);

  // The next message, or nothing when none came within `wait` (zero: only what is there already). Gone at the
  // end of the stream; Failure{65} when a message is malformed.
  std::optional<Record> receive(std::chrono::milliseconds wait);

  // Gone at the end of the stream; messages stay for receive().
  void watch() { wait_readable(Deadline::now()); }

 protected:
  // Sees every message first, and may throw.
  virtual void look_at(const Record&) {}

 private:
  std::optional<Record> pop();
  void wait_readable(const Deadline& deadline);

  int in_;
  int out_;
  int aside_ = -1;
  std::function<bool()> readable_;
  io::LineBuffer lines_;
  record::Parser parser_;
};

}  // namespace asp_cp
