// lease/reap: make the kernel's mappings and flows, and the indexes, those of the
// leases on record that live; the others end. While the proxy is stopped, that is
// none at all, and no table either. Each change is logged.
#pragma once

#include <cstddef>
#include <string>

#include "lease/registry.h"

namespace lease::reap {

// Takes a Lock, and, once it has let go of it, a session::spool::FirewallLock where
// the base of the sessions' rules has to be laid; the caller holds neither.
// session::spool::prepare() comes first. Failure{71}.
void all();

// This node is master of its cluster from now on: lays, in one transaction, all leases
// that it can hear of at once, and says how many. None where nodes share no leases.
// As above.
std::size_t take_over();
// The rest of it: leases that only the master of Redis knew, and flows of leases that
// have ended.
void complete();

// It is no longer: takes all mappings away. The leases go on at the master, and the
// flows of this kernel stay: it may be master again. As above.
void stand_by();

// Exchanges with the other nodes what is known of leases, if it is time for that, and
// lays what that brings. The caller holds a Lock, and the registry has peers.
void catch_up(Registry& registry);

// Ends the lease of that id, since `why`; false when there is none. As above.
bool end_one(const std::string& id, const std::string& why);

// Ends all leases, and takes the table away; how many there were. The caller has
// set the mark that the proxy is stopped. On a node of a cluster they do not end: they
// are taken away here, and go on at the next master.
std::size_t end_all();

}  // namespace lease::reap
