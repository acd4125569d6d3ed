// base/pidfd: a process that is held by a descriptor (pidfd_open(2)): its number may be given to
// another process, the descriptor cannot. Readable once the process has ended.
#pragma once

#include <sys/types.h>

#include "base/deadline.h"
#include "base/fd.h"

namespace pidfd {

// The process that has that number now. Failure{71}, also when there is none.
Fd open(pid_t pid);
// Does the same; empty when there is none.
Fd find(pid_t pid);

// False: the signal could not be sent, and errno says why; ESRCH: the process has ended. Number 0 only
// checks.
bool signal(const Fd& process, int number);

// True if it has ended, or ends until `deadline`.
bool ended(const Fd& process, const Deadline& deadline = Deadline::now());

}  // namespace pidfd
