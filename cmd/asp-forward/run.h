// run: the command that the lease is for.
#pragma once

#include "base/child.h"
#include "base/signals.h"
#include "held_lease.h"

namespace forward {

// Runs `program` and renews meanwhile. Its status, or 128+n. A signal that was
// sent to us alone is passed on; one from the terminal it has itself. When the
// lease is lost the command goes on, to find that out its own way.
// Failure{71} when it cannot be run.
int run(const child::Program& program, HeldLease& held, Signals& signals);

}  // namespace forward
