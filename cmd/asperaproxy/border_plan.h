// border_plan: which interfaces are the proxy's, between which nothing is forwarded but sessions and leases
// (firewall/border.h).
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "firewall/border.h"

namespace asperaproxy::border_plan {

// True if somebody uses the proxy, so that the kernel has to forward for it.
bool is_used(const config::Config& config);

// now: forwarding is about to be turned on. later: it is not.
enum class Moment { now, later };

// What the border should be: where nothing is forwarded yet, between all interfaces that the host has; otherwise
// between those by which the kernel reaches the outside (default routes), the addresses that aspera.conf names as the
// proxy's, and its internal servers; and what was on record before. Adds to `left` what it could not find out. Asks for
// the addresses of names, 5 s in all. Failure{71}.
firewall::border::Plan plan(const config::Config& config, std::vector<std::string>& left, Moment moment = Moment::now);

// "IPv4 between lan and wan, IPv6 between lan and wan", for people.
std::string shown(const firewall::border::Plan& plan);

// Flows that are forwarded now, and would not be with `plan`: "198.51.100.10 to 203.0.113.10", at most 1000.
// Failure{71}.
std::vector<std::string> cut_by(const firewall::border::Plan& plan);

}  // namespace asperaproxy::border_plan
