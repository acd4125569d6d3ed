// kernel: the settings that the suite needs, as etc/sysctl.d has them.
#pragma once

#include <string>
#include <vector>

namespace asperaproxy {

// Turns on forwarding, and the counting of bytes. Returns what was left as it
// is, and why, one line each. Failure{71} when IPv4 cannot be forwarded.
std::vector<std::string> set_kernel();

// Interfaces that get a default route from router advertisements, and would lose
// it by forwarding. Pure: `routes` is /proc/net/ipv6_route.
std::vector<std::string> advertised_on(const std::string& routes);

// In a cluster: flows whose packets took another node's way for a while are
// translated all the same. A kernel that tracks the windows of TCP would take what
// it sees then for nobody's, and answer it with a reset. What could not be set is logged.
void track_no_windows();

}  // namespace asperaproxy
