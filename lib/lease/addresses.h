// lease/addresses: the addresses for leases, out of those that the nodes of a cluster share;
// sallyport-cluster(7), LEASES. Pure.
#pragma once

#include <optional>

#include "base/address.h"
#include "lease/text.h"

namespace config {
struct Cluster;
}

namespace lease::addresses {

// The address that clients of that family connect to: the first of <inside_addresses>. Absent: there
// is none.
std::optional<IpAddress> host_of(const config::Cluster& cluster, bool v4);

// The addresses from which flows leave: the outside ones, and the inside ones unless they are of the
// same interface.
text::Ways ways_of(const config::Cluster& cluster);

}  // namespace lease::addresses
