// report: status lines on a stdout that belongs to an untrusted caller.
#pragma once

#include "base/alarm.h"
#include "base/status.h"

// Limits a read or write of ours to a second. O_NONBLOCK is not enough: the caller has the same open file and can clear
// the flag, and poll(2) promises nothing to read(2) if the caller takes the bytes or sets SO_RCVLOWAT.
class Patience : public Alarm {
 public:
  Patience() : Alarm(std::chrono::seconds(1), std::chrono::milliseconds(100)) {}
};

namespace report {

// Drops the line if nobody reads it within a second: a caller that does not read must not keep a
// pinhole from being revoked.
void line(const status::Line& line);

}  // namespace report
