// lease/reap: makes the kernel's mappings and flows, and the indexes, match the living leases on
// record; the other leases end. While the proxy is stopped there are none, and no table either. Each
// change is logged.
#pragma once

#include <cstddef>
#include <string>

#include "lease/registry.h"

namespace lease::reap {

// Takes a Lock and, after releasing it, a session::spool::FirewallLock if the base of the sessions'
// rules has to be laid; the caller holds neither. session::spool::prepare() comes first. Failure{71}.
void all();

// Makes this node the master of its cluster: lays, in one transaction, all leases that it can hear of
// at once, and returns how many. Does nothing where nodes share no leases. The same conditions.
std::size_t take_over();
// Does the rest: leases that only the master of Redis knew, and flows of leases that have ended.
void complete();

// This node is no longer master: removes all mappings. The leases go on at the new master, and the
// flows of this kernel stay, since it may become master again. The same conditions.
void stand_by();

// Exchanges leases with the other nodes, if it is time for that, and lays those that it learned of.
// The caller holds a Lock, and the registry has peers.
void catch_up(Registry& registry);

// Ends the lease of that id, with the reason `why`; false when there is none. The same conditions.
bool end_one(const std::string& id, const std::string& why);

// Ends all leases, and removes the table; returns how many there were. The caller has marked the proxy
// as stopped. On a node of a cluster the leases do not end: they are removed here, and go on at the
// next master.
std::size_t end_all();

}  // namespace lease::reap
