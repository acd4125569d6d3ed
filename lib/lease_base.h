// lease_base: what leases need of the base of the sessions' rules: that flows
// with the suite's mark may pass FORWARD. Needs root; Failure{71}.
#pragma once

#include "firewall_text.h"

namespace lease_base {

// Lays it where it is missing or damaged, unless the proxy is stopped. Takes a
// spool::FirewallLock; the caller holds neither that nor a LeaseLock. True:
// something had to be laid.
bool ensure(firewall_text::Family family);

}  // namespace lease_base
