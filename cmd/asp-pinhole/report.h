// report: status lines on a stdout that belongs to an untrusted caller.
#pragma once

#include "status.h"

namespace report {

// Both must be pipes, sockets or terminals: a file never tells that its user is
// gone. From here on stdout does not block. Failure{77}.
void check_standard_descriptors();

// Drops the line when nobody reads: whoever does not listen must not keep a
// pinhole from being revoked.
void line(const status::Line& line);

}  // namespace report
