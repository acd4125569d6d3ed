// lease/role: what this host is to the leases that the nodes of its cluster share;
// sallyport-cluster(7), LEASES. What asperaproxy takeover and standby said last:
//
//   /run/sallyport/lease_role   "standby", "master", or "informed"
#pragma once

enum class LeaseRole {
  alone,     // nobody has said anything: no node, or one that keepalived has not told yet
  standby,   // another node serves leases
  master,    // this one does, but may not know all of them yet
  informed,  // this one does, and knows what the common store knew
};

namespace lease::role {

// Failure{71}, also for a file that says something else.
LeaseRole get();
// The caller holds a LeaseLock. Failure{71}.
void set(LeaseRole role);

inline bool serves(LeaseRole role) { return role == LeaseRole::master || role == LeaseRole::informed; }

}  // namespace lease::role
