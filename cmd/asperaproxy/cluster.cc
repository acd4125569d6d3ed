#include "cluster.h"

#include <ifaddrs.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <set>

#include <fmt/core.h>

#include "base/failure.h"
#include "cluster/node_name.h"
#include "cluster/redis_password.h"

namespace cluster {
namespace {

std::set<IpAddress> own_addresses() {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) tool::fail_errno(tool::os, "getifaddrs");
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> all(first, ::freeifaddrs);
  std::set<IpAddress> found;
  for (const ifaddrs* each = all.get(); each; each = each->ifa_next) {
    if (each->ifa_addr && (each->ifa_addr->sa_family == AF_INET || each->ifa_addr->sa_family == AF_INET6))
      found.insert(IpAddress::from_sockaddr(*each->ifa_addr));
  }
  return found;
}

}  // namespace

const config::ClusterNode& require_node(const config::Cluster& cluster, std::string_view name) {
  const std::string wanted = name.empty() ? cluster::node_name() : std::string(name);
  if (const auto* node = cluster.node(wanted)) return *node;
  std::string names;
  for (const auto& node : cluster.nodes) names += (names.empty() ? "" : ", ") + node.name;
  throw tool::Failure(tool::config, fmt::format("{}: no node of the cluster; they are {}", wanted, names));
}

std::vector<cluster_text::File> files(const config::Cluster& cluster, const config::ClusterNode& node) {
  const std::string password =
      cluster.redis_password_file.empty() ? "" : redis::password_in(cluster.redis_password_file);
  std::vector<cluster_text::File> found{cluster_text::keepalived(cluster, node),
                                        cluster_text::conntrackd(cluster, node), cluster_text::conntrackd_unit()};
  for (auto file : {cluster_text::redis(cluster, node, password), cluster_text::sentinel(cluster, node, password)}) {
    if (file) found.push_back(std::move(*file));
  }
  return found;
}

Held held(const config::Cluster& cluster) {
  const auto own = own_addresses();
  Held found;
  for (const auto* shared : {&cluster.outside, &cluster.inside}) {
    for (const auto& address : shared->addresses)
      (own.contains(address.base) ? found.here : found.missing).push_back(address.base);
  }
  return found;
}

bool has(const IpAddress& address) { return own_addresses().contains(address); }

}  // namespace cluster
