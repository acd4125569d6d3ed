// kernel/own_addresses: what the kernel takes for this host itself.
//
//   127.0.0.0/8   203.0.113.1   203.0.113.255   203.0.113.0   2001:db8:2::
//
// The addresses of all interfaces, also of those that are down; their networks'
// broadcast addresses and first addresses (IPv6: the anycast address of the
// network's routers, RFC 4291 2.6.1); and what the routing table "local" says
// beyond that (ip-route(8), AnyIP).
#pragma once

#include <vector>

#include "base/address.h"

namespace own_addresses {

// As it is now. Failure{71}.
std::vector<Network> read();

}  // namespace own_addresses
