// lease/role: this host's role for the leases that the nodes of its cluster share;
// sallyport-cluster(7), LEASES. asperaproxy takeover and standby set it:
//
//   /run/sallyport/lease_role   "standby", "master", or "informed"
#pragma once

namespace lease {

enum class Role {
  alone,     // not set: the host is not a node, or one that keepalived has not told yet
  standby,   // another node serves leases
  master,    // this node serves, but may not know all leases yet
  informed,  // this node serves, and knows what the common store knew
};

namespace role {

// Failure{71}, also for a file with other contents.
Role get();
// The caller holds a Lock. Failure{71}.
void set(Role role);

inline bool serves(Role role) { return role == Role::master || role == Role::informed; }

}  // namespace role

}  // namespace lease
