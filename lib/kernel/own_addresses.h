// kernel/own_addresses: the addresses that the kernel considers this host's own.
//
//   127.0.0.0/8   203.0.113.1   203.0.113.255   203.0.113.0   2001:db8:2::
//
// They are the addresses of all interfaces, even if down; their networks'
// broadcast addresses and first addresses (IPv6: the anycast address of the
// network's routers, RFC 4291 2.6.1); and those that the routing table "local" has
// beyond that (ip-route(8), AnyIP).
#pragma once

#include <optional>
#include <vector>

#include "base/address.h"

struct nlmsghdr;

namespace own_addresses {

// The current ones. Failure{71}.
std::vector<Network> read();

// The networks of all interfaces, and the far ends of point-to-point links; without loopback. Failure{71}.
std::vector<Network> connected();

// Pure. The network of a route of the table "local". Absent: it has none, or the message is another.
std::optional<Network> network_in(const nlmsghdr* message);

}  // namespace own_addresses
