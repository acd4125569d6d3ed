// cluster/node_name: which node of a cluster this host is.
#pragma once

#include <string>

namespace config {
struct Cluster;
}

// As uname -n prints it.
std::string node_name();

// The same if that is a node of an enabled cluster; else empty.
std::string node_name_in(const config::Cluster& cluster);
