#include "cluster/node_name.h"

#include <limits.h>
#include <unistd.h>

#include "base/failure.h"
#include "config/config.h"

namespace cluster {

std::string node_name() {
  char name[HOST_NAME_MAX + 1] = "";
  if (::gethostname(name, sizeof name - 1) != 0) tool::fail_errno(tool::os, "gethostname");
  return name;
}

std::string node_name_in(const config::Cluster& cluster) {
  const std::string name = node_name();
  return cluster.enabled && cluster.node(name) ? name : "";
}

}  // namespace cluster
