// base/privilege: the user for whom sudo runs a program as root, and freeing the program from that
// user's surroundings before it does anything else.
#pragma once

#include <sys/types.h>

namespace privilege {

// The uid that sudo vouches for. Failure{77} when not run by sudo as root.
uid_t sudo_uid();

// Sets umask 077 and directory /, and drops the caller's real uid, resource limits, priority, timer
// slack and ignored SIGCHLD: they must neither kill nor starve, delay or silence us, least of all
// while we hold a lock. No core is dumped. Failure{71}.
void leave_limits();

// Keys typed on the caller's terminal must not stop or kill us.
void ignore_terminal();

}  // namespace privilege
