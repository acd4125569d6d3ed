// cluster: this host as a node of a cluster; sallyport-cluster(7).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cluster_text.h"
#include "config/config.h"

namespace cluster {

// The node called `name`; if that is empty, the one with this host's name. Failure{78} lists the
// existing ones.
const config::ClusterNode& require_node(const config::Cluster& cluster, std::string_view name);

// All files for `node`, with the passwords from <redis_password_file>, which must be root's and
// readable by root alone. Failure{78}.
std::vector<cluster_text::File> files(const config::Cluster& cluster, const config::ClusterNode& node);

// How many of the shared addresses this host has now: all on the master, none elsewhere.
struct Held {
  std::vector<IpAddress> here;
  std::vector<IpAddress> missing;
};
Held held(const config::Cluster& cluster);

// True if this host has that address, on whatever interface.
bool has(const IpAddress& address);

}  // namespace cluster
