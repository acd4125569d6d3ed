#include "lease/addresses.h"

#include "config/config.h"

namespace lease::addresses {

std::optional<IpAddress> host_of(const config::Cluster& cluster, bool v4) {
  for (const auto& address : cluster.inside.addresses) {
    if (address.base.is_v4() == v4) return address.base;
  }
  return std::nullopt;
}

text::Ways ways_of(const config::Cluster& cluster) {
  text::Ways found;
  for (const auto* shared : {&cluster.outside, &cluster.inside}) {
    if (shared->addresses.empty() || (!found.empty() && found.front().interface == shared->interface)) continue;
    text::Way way{shared->interface, {}, {}};
    for (const auto& address : shared->addresses) {
      auto& first = address.base.is_v4() ? way.v4 : way.v6;
      if (!first) first = address.base;
    }
    found.push_back(way);
  }
  return found;
}

}  // namespace lease::addresses
