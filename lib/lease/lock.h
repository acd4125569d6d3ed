// lease/lock: lets one program at a time change leases.
//
//   /run/sallyport/lease_lock   locked (flock) while leases are changed
#pragma once

#include "base/fd.h"

namespace lease {

// Held while leases of this host are changed, on record and in the kernel; not together with a
// session::spool::FirewallLock. Waits at most 10 s (Failure{75}).
class Lock {
 public:
  Lock();

 private:
  Fd lock_;
};

}  // namespace lease
