// run: runs the command that needs the lease.
#pragma once

#include "base/child.h"
#include "base/signals.h"
#include "held_lease.h"

namespace forward {

// Runs `program` and renews the lease meanwhile. Returns its status, or 128+n. A signal that was sent
// to us alone is passed on; the program itself gets one from the terminal. When the lease is lost the
// command goes on, and will notice that in its own way. Failure{71} when it cannot be run.
int run(const child::Program& program, HeldLease& held, Signals& signals);

}  // namespace forward
