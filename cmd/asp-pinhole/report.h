// report: status lines on a stdout that belongs to an untrusted caller.
#pragma once

#include "base/status.h"

// While it lives, a read or write that blocks is interrupted (EINTR) within a second. O_NONBLOCK is
// not enough: the caller has the same open file and can clear the flag, and poll(2) promises nothing
// to read(2) if the caller takes the bytes or sets SO_RCVLOWAT. One at a time.
class Patience {
 public:
  Patience();
  ~Patience();
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;
  bool over() const;
};

namespace report {

// Drops the line if nobody reads it within a second: a caller that does not read must not keep a
// pinhole from being revoked.
void line(const status::Line& line);

}  // namespace report
