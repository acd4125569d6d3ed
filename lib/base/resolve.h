// base/resolve: the addresses of a name, asked of the system (nsswitch.conf(5)).
//
// Whatever the resolver takes for an address in some writing (127.1, 0x7f.1) has
// no addresses here: addresses are parsed by base/address.h, and nowhere else.
#pragma once

#include <string>
#include <vector>

#include "base/address.h"

namespace resolve {

// In the resolver's order, each once; none when the name has none, or is none.
// Failure{75} when the resolver cannot say. Waits as long as the resolver does
// (resolv.conf(5): some seconds for each server that does not answer).
std::vector<IpAddress> addresses(const std::string& name);

// Whether `address` is one of them; false also when the resolver cannot say.
bool leads_to(const std::string& name, const IpAddress& address);

}  // namespace resolve
