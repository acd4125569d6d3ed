// base/aside: a program without rights that works beside one of root's, where that may not start it under another
// account itself: asp-lease, as a unit of systemd's, has no CAP_SETUID. Then systemd starts the program for whoever
// connects to its socket (asp-name.socket, asp-redis.socket), which root alone can.
#pragma once

#include <optional>
#include <string>

#include "base/fd.h"

namespace aside {

// The connection that is the standard input and output of a new process of `program`: a stream, nonblocking. Absent:
// we are not root, or may change the account, and start it ourselves. Failure{71}: nobody listens.
std::optional<Fd> reach(const std::string& program);

}  // namespace aside
