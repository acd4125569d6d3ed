// cluster_text: the configuration of keepalived, conntrackd, Redis and Sentinel on one node of the
// cluster. Pure. All values from aspera.conf were checked by config/schema to contain nothing that is
// syntax for one of the four.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/config.h"

namespace cluster_text {

// One file: its name, its text, and who may read it.
struct File {
  std::string name;  // keepalived.conf
  std::string text;
  std::string place;  // where its program reads it: /etc/keepalived/keepalived.conf
  std::string group;  // empty: it has no secret
};

constexpr char kKeepalived[] = "/etc/keepalived/keepalived.conf";
constexpr char kConntrackd[] = "/etc/conntrackd/conntrackd.conf";

// VRRP: one router for each network that shares addresses, master on both or none.
File keepalived(const config::Cluster& cluster, const config::ClusterNode& node);
// Two nodes use FTFW between them. With more, each tells all (NOTRACK, multicast), because FTFW is for
// two. Failure{78} for more than two nodes of IPv6.
File conntrackd(const config::Cluster& cluster, const config::ClusterNode& node);
// A drop-in for systemd. A killed conntrackd leaves its lock, and would not start again. It tells the
// other nodes of flows that began without it only when asked to.
File conntrackd_unit();
// Absent where this node is not in <redis>, or not in <sentinels>. `password` is empty, or as
// redis::is_password requires.
std::optional<File> redis(const config::Cluster& cluster, const config::ClusterNode& node, const std::string& password);
std::optional<File> sentinel(const config::Cluster& cluster, const config::ClusterNode& node,
                             const std::string& password);

}  // namespace cluster_text
