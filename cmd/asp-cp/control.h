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

// The other end closed the stream; why is for whoever started it to find out.
class Gone : public tool::Failure {
 public:
  Gone() : Failure(tool::unavailable, "the SSH connection ended") {}
};

class Control {
 public:
  // Reads `in`, writes `out`; neither is owned.
  Control(int in, int out) : in_(in), out_(out), lines_(Record::kMaxBytes) {}
  virtual ~Control() = default;

  // What is to be read beside the messages, whenever somebody waits for them,
  // until `readable` says false.
  void attend(int fd, std::function<bool()> readable);

  // Gone when nobody reads any more.
  void send(const Record& message);

  // The next message, or nothing when none came within `wait` (zero: only what
  // is there already). Gone at the end of the stream; Failure{65} when it does
  // not keep to the form.
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
