// cluster/node_name: the name of this host as a node of a cluster.
#pragma once

#include <string>

namespace config {
struct Cluster;
}

namespace cluster {

// As uname -n prints it.
std::string node_name();

// The same if that is a node of an enabled cluster; otherwise empty.
std::string node_name_in(const config::Cluster& cluster);

}  // namespace cluster
