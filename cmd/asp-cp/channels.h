// channels: the two channels of a transfer, and the rule that neither may fall silent.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "control.h"
#include "protocol.h"
#include "transport.h"

namespace asp_cp {

// How long the other end may take for one step without a sign of life over SSH.
constexpr std::chrono::seconds kStepLimit{120};
// How long to wait for one of the two channels before the other is looked at.
constexpr std::chrono::milliseconds kWaitTime{200};

// Receives what a person may want to see of a transfer.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void begin(const FileHead&, std::uint64_t /*resumed*/) {}
  virtual void advance(std::uint64_t /*bytes*/) {}
  // True if an earlier attempt brought this very file, so that it is skipped.
  virtual bool has(const FileHead&) const { return false; }
  virtual void stored(const FileHead&, const std::string& /*sha256*/) {}
  // Called when one file failed, here or at the other end; the rest goes on.
  virtual void trouble(const Complaint&, bool /*here*/) {}
};

class Session {
 public:
  Session(Control& control, Link& link) : control_(control), link_(link) {}

  // The next message other than `busy`. Failure{69} when either channel is lost, {75} when the other end is
  // silent for kStepLimit.
  Record next();
  // A message other than `busy`, if one comes within `limit`.
  std::optional<Record> wait(std::chrono::milliseconds limit);
  std::optional<Record> glance() { return wait(std::chrono::milliseconds(0)); }
  void send(const Record& message) { control_.send(message); }

  // For long computations: sends `busy` every second, and throws Gone when the other end is gone.
  void busy();

  Link& link() { return link_; }

 private:
  using Clock = std::chrono::steady_clock;
  Control& control_;
  Link& link_;
  std::optional<Record> early_;  // arrived while busy() looked
  Clock::time_point said_busy_ = Clock::now();
  bool heard_busy_ = false;
};

}  // namespace asp_cp
