// cluster: this host as one of several; sallyport-cluster(7).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cluster_text.h"
#include "config/config.h"

namespace cluster {

// The node called `name`, or as this host is if that is empty. Failure{78} that
// says which there are.
const config::ClusterNode& require_node(const config::Cluster& cluster, std::string_view name);

// All that `node` is to have, the passwords in them read from <redis_password_file>,
// which must be root's and for root alone. Failure{78}.
std::vector<cluster_text::File> files(const config::Cluster& cluster, const config::ClusterNode& node);

// Of the shared addresses, those that this host has now: all on the master, none
// elsewhere.
struct Held {
  std::vector<IpAddress> here;
  std::vector<IpAddress> missing;
};
Held held(const config::Cluster& cluster);

// Whether this host has that address, on whatever interface.
bool has(const IpAddress& address);

}  // namespace cluster
