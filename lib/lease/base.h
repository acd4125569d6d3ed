// lease/base: the part of the sessions' base rules that leases need: flows with the suite's mark may
// pass FORWARD. Needs root; Failure{71}.
#pragma once

#include "firewall/text.h"

namespace lease::base {

// Lays it where it is missing or damaged, unless the proxy is stopped. Takes a
// session::spool::FirewallLock; the caller holds neither that nor a Lock. True: something had to be
// laid.
bool ensure(firewall::text::Family family);

}  // namespace lease::base
