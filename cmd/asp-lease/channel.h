// channel: the socket that asperanoded handed us. One packet is one record, from
// there with at most one descriptor.
#pragma once

#include <optional>
#include <string>

#include "base/fd.h"
#include "base/record.h"
#include "base/status.h"

namespace channel {

struct Packet {
  std::string bytes;
  Fd descriptor;      // absent: none came along
  bool whole = true;  // false: it was larger than a record, or brought more descriptors
};

// Failure{77} when stdin and stdout are no such socket.
void check();

// Whether the first packet, there before we were, asks for a trial (session/trial.h).
bool is_trial();

// The next packet that is there; absent when there is none now. `ended` when
// there will be no more. Failure{71}.
std::optional<Packet> receive(bool& ended);

// Waits while nobody reads, at most half a minute: Failure{74}.
void send(const Record& answer);
// The same, of a trial.
void send(const status::Line& outcome);

}  // namespace channel
