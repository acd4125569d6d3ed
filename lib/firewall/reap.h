// firewall/reap: make the firewall, the kernel's flows and the records those of the
// sessions that really live, no more and no less. While the proxy is stopped,
// that is none at all, and no base either. Each change is logged.
#pragma once

namespace firewall::reap {

// The caller has called session::spool::prepare() and holds a session::spool::FirewallLock: under
// it no session opens, pins or closes, so that what is on record and what is in
// force can be compared. Failure{71}.
void all();

// Of that the kernel's flows alone, which takes milliseconds: no other program is
// asked. The same caller, the same failures.
void flows();

}  // namespace firewall::reap
