// firewall/reap: makes the firewall, the kernel's flows and the records match the living sessions, no
// more and no less. While the proxy is stopped, there is no session, and no base either. Each change
// is logged.
#pragma once

namespace firewall::reap {

// The caller has called session::spool::prepare() and holds a session::spool::FirewallLock: under it
// no session opens, pins or closes, so records and rules can be compared. Failure{71}.
void all();

// Only the part that concerns the kernel's flows, which takes milliseconds: no other program is run.
// The same caller, the same failures.
void flows();

}  // namespace firewall::reap
