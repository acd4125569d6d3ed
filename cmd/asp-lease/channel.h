// channel: the connection of asperanoded, as stdin and stdout. One packet is one record; a request may bring one
// descriptor.
#pragma once

#include <optional>
#include <string>

#include <sys/types.h>

#include "base/fd.h"
#include "base/record.h"
#include "base/status.h"

namespace channel {

struct Packet {
  std::string bytes;
  Fd descriptor;      // absent: none came with it
  bool whole = true;  // false: it was larger than a record, or had more descriptors
};

// True if stdin is a connected socket, as systemd starts us.
bool is_given();

// Failure{77} when stdin and stdout are not such a socket, or when somebody else than `uid` has connected to it.
void check(uid_t uid);

// True if it asks for a trial (session/trial.h).
bool is_trial(const Packet& packet);
// True if the first packet does; waits a second for it. It is not taken.
bool begins_with_trial();

// The next packet, if one is there now. `ended` is set when there will be no more. Failure{71}.
std::optional<Packet> receive(bool& ended);

// Waits at most half a minute for the reader: Failure{74}.
void send(const Record& answer);
// Sends the outcome of a trial likewise.
void send(const status::Line& outcome);

}  // namespace channel
