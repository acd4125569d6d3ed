// lease/addresses: which of the addresses that the nodes of a cluster share are those of
// its leases; sallyport-cluster(7), LEASES. Pure.
#pragma once

#include <optional>

#include "base/address.h"
#include "lease/text.h"

namespace config {
struct Cluster;
}

namespace lease::addresses {

// The address that clients of that family call: the first of <inside_addresses>.
// Absent: there is none.
std::optional<IpAddress> host_of(const config::Cluster& cluster, bool v4);

// By which addresses flows leave: those outside, and those inside unless they are of
// the same interface.
text::Ways ways_of(const config::Cluster& cluster);

}  // namespace lease::addresses
