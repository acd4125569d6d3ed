// kernel/routes: by which interface the kernel reaches an address.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "base/address.h"

namespace routes {

// Absent: there is no route. Failure{71}.
std::optional<std::string> interface_to(const IpAddress& address);

// The interfaces of the default routes of `family`. Failure{71}.
std::set<std::string> default_interfaces(int family);

// The interfaces that have an address of the host within `network`. Failure{71}.
std::set<std::string> interfaces_with(const Network& network);

// The interfaces that have an IPv4 address, or an IPv6 address that is not link-local. Failure{71}.
std::set<std::string> interfaces_with_addresses();

// All interfaces of the host but loopback. Failure{71}.
std::set<std::string> all_interfaces();

}  // namespace routes
