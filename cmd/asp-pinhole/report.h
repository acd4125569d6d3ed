// report: status lines on a stdout that belongs to an untrusted caller.
#pragma once

#include "base/status.h"

// While it lives, a read or write that blocks is broken off (EINTR) within a
// second. O_NONBLOCK does not do: the caller has the same open file and can
// take the flag off again, and poll(2) promises nothing to read(2) where he
// steals the bytes or sets SO_RCVLOWAT. One at a time.
class Patience {
 public:
  Patience();
  ~Patience();
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;
  bool over() const;
};

namespace report {

// Both must be pipes, sockets or terminals: a file never tells that its user is
// gone. Failure{77}.
void check_standard_descriptors();

// Drops the line when nobody takes it within a second: whoever does not listen
// must not keep a pinhole from being revoked.
void line(const status::Line& line);

}  // namespace report
