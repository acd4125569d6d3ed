// lease/admission: whether this node would have given a lease that, according to Redis, another node
// has given. Pure.
#pragma once

#include <string>
#include <vector>

#include "base/address.h"
#include "config/config.h"
#include "config/destination_policy.h"
#include "lease/lease.h"

namespace lease::admission {

// The reason why not, by `config` and by where this host is (kernel/own_addresses.h);
// empty when it would have.
std::string complaint(const Lease& lease, const config::Config& config, const config::destination::Surroundings& here);

}  // namespace lease::admission
