// lease_reap: make the kernel's mappings and flows, and the indexes, those of the
// leases on record that live; the others end. While the proxy is stopped, that is
// none at all, and no table either. Each change is logged.
#pragma once

#include <cstddef>
#include <string>

namespace lease_reap {

// Takes a LeaseLock, and, once it has let go of it, a spool::FirewallLock where
// the base of the sessions' rules has to be laid; the caller holds neither.
// spool::prepare() comes first. Failure{71}.
void all();

// Ends the lease of that id, since `why`; false when there is none. As above.
bool end_one(const std::string& id, const std::string& why);

// Ends all leases, and takes the table away; how many there were. The caller has
// set the mark that the proxy is stopped.
std::size_t end_all();

}  // namespace lease_reap
