// kernel/conntrack_dump: the flows of one IPv4 client address, by a filter of the kernel that
// libnetfilter_conntrack 1.0.9 cannot express. Only conntrack.cc uses it.
#pragma once

#include <cstdint>
#include <functional>

#include "base/address.h"

struct nlmsghdr;

namespace conntrack_dump {

// Calls `each` with the message of every flow, of whichever protocol, from `client`, and with any bit of `mark` unless
// that is 0. Kernels before 5.8 return flows of other clients, too. Needs root. Failure{71}.
void of_client(const IpAddress& client, std::uint32_t mark, const std::function<void(const nlmsghdr*)>& each);

}  // namespace conntrack_dump
