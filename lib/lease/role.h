// lease/role: what this host is to the leases that the nodes of its cluster share;
// sallyport-cluster(7), LEASES. What asperaproxy takeover and standby said last:
//
//   /run/sallyport/lease_role   "standby", "master", or "informed"
#pragma once

namespace lease {

enum class Role {
  alone,     // nobody has said anything: no node, or one that keepalived has not told yet
  standby,   // another node serves leases
  master,    // this one does, but may not know all of them yet
  informed,  // this one does, and knows what the common store knew
};

namespace role {

// Failure{71}, also for a file that says something else.
Role get();
// The caller holds a Lock. Failure{71}.
void set(Role role);

inline bool serves(Role role) { return role == Role::master || role == Role::informed; }

}  // namespace role

}  // namespace lease
