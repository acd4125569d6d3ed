// kernel: the settings that the suite needs, as etc/sysctl.d has them.
#pragma once

#include <string>
#include <vector>

namespace asperaproxy {

// Turns on forwarding and the counting of bytes. Returns the settings that could not be changed, with
// the reason, one line each. Failure{71} when IPv4 cannot be forwarded.
std::vector<std::string> set_kernel();

// False where the kernel has no IPv6 (booted with ipv6.disable=1).
bool has_ipv6();

// True if the kernel forwards packets of `family` (AF_INET, AF_INET6).
bool forwards(int family);

// Turns that off again. Failure{71}.
void stop_forwarding(int family);

// Interfaces with a default route from router advertisements, which forwarding would remove. Pure:
// `routes` is /proc/net/ipv6_route.
std::vector<std::string> advertised_on(const std::string& routes);

// For a cluster: makes the kernel translate flows whose packets took another node's way for a while.
// If it tracks the windows of TCP, it takes later packets for invalid, and answers them with a reset.
// Failures are logged.
void track_no_windows();

}  // namespace asperaproxy
