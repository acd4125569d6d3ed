// base/privilege: for whom sudo runs a program as root, and what that program leaves behind of
// that user's surroundings before it does anything.
#pragma once

#include <sys/types.h>

namespace privilege {

// The uid that sudo vouches for. Failure{77} when not run by sudo as root.
uid_t sudo_uid();

// umask 077, directory /, no real uid, resource limit, priority, timer slack or
// ignored SIGCHLD of the caller's: they must neither kill us nor starve, delay or
// silence us, least of all while we hold a lock. No core is dumped. Failure{71}.
void leave_limits();

// Keys typed on the caller's terminal must not stop or kill us.
void ignore_terminal();

}  // namespace privilege
