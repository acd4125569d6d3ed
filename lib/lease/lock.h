// lease/lock: lets one program at a time change leases.
//
//   /run/sallyport/lease_lock   locked (flock) while leases are changed
#pragma once

#include "base/fd.h"
#include "base/logging.h"

namespace lease {

// Held while leases of this host are changed, on record and in the kernel; not together with a
// session::spool::FirewallLock. Waits in line for it (fd::lock_in_line, Failure{75}). What is logged meanwhile is
// written once it is free.
class Lock {
 public:
  Lock();

 private:
  logging::Later later_;
  Fd lock_;
};

}  // namespace lease
