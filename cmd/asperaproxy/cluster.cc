#include "cluster.h"

#include <fcntl.h>
#include <ifaddrs.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <set>

#include <fmt/core.h>

#include "fd.h"
#include "io.h"
#include "tool.h"

namespace cluster {
namespace {

std::string host_name() {
  char name[HOST_NAME_MAX + 1] = "";
  if (::gethostname(name, sizeof name - 1) != 0) tool::fail_errno(tool::os, "gethostname");
  return name;
}

std::string password_in(const std::string& path) {
  constexpr std::size_t kMax = 4096;
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file) tool::fail_errno(tool::config, "open " + path);
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) tool::fail_errno(tool::os, "fstat " + path);
  if (!S_ISREG(status.st_mode) || status.st_uid != ::geteuid() || (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    throw tool::Failure(tool::config, path + ": must be a file that belongs to root and is for root alone (mode 0600)");
  }
  std::string text = io::read_all(file.get(), kMax, path);
  if (text.ends_with('\n')) text.pop_back();
  if (!cluster_text::is_password(text)) throw tool::Failure(tool::config, path + ": must hold one line, of 1 to 128 letters, digits and any of -_.+/=");
  return text;
}

std::set<IpAddress> own_addresses() {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) tool::fail_errno(tool::os, "getifaddrs");
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> all(first, ::freeifaddrs);
  std::set<IpAddress> found;
  for (const ifaddrs* each = all.get(); each; each = each->ifa_next) {
    if (each->ifa_addr && (each->ifa_addr->sa_family == AF_INET || each->ifa_addr->sa_family == AF_INET6)) found.insert(IpAddress::from_sockaddr(*each->ifa_addr));
  }
  return found;
}

}  // namespace

const config::ClusterNode& require_node(const config::Cluster& cluster, const std::string& name) {
  const std::string wanted = name.empty() ? host_name() : name;
  if (const auto* node = cluster.node(wanted)) return *node;
  std::string names;
  for (const auto& node : cluster.nodes) names += (names.empty() ? "" : ", ") + node.name;
  throw tool::Failure(tool::config, fmt::format("{}: no node of the cluster; they are {}", wanted, names));
}

std::vector<cluster_text::File> files(const config::Cluster& cluster, const config::ClusterNode& node) {
  const std::string password = cluster.redis_password_file.empty() ? "" : password_in(cluster.redis_password_file);
  std::vector<cluster_text::File> found{cluster_text::keepalived(cluster, node), cluster_text::conntrackd(cluster, node), cluster_text::conntrackd_unit()};
  for (auto file : {cluster_text::redis(cluster, node, password), cluster_text::sentinel(cluster, node, password)}) {
    if (file) found.push_back(std::move(*file));
  }
  return found;
}

Held held(const config::Cluster& cluster) {
  const auto own = own_addresses();
  Held found;
  for (const auto* shared : {&cluster.outside, &cluster.inside}) {
    for (const auto& address : shared->addresses) (own.contains(address.base) ? found.here : found.missing).push_back(address.base);
  }
  return found;
}

bool has(const IpAddress& address) { return own_addresses().contains(address); }

}  // namespace cluster
