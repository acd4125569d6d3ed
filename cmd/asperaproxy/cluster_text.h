// cluster_text: what keepalived, conntrackd, Redis and Sentinel are to read on
// one node of the cluster. Pure. All that comes from aspera.conf was checked by
// config/schema to hold nothing that one of the four would take for syntax.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/config.h"

namespace cluster_text {

// One file: its name, its text, and whether only root and `group` may read it.
struct File {
  std::string name;  // keepalived.conf
  std::string text;
  std::string place;  // where its program looks for it: /etc/keepalived/keepalived.conf
  std::string group;  // empty: no secret in it
};

constexpr char kKeepalived[] = "/etc/keepalived/keepalived.conf";
constexpr char kConntrackd[] = "/etc/conntrackd/conntrackd.conf";

// VRRP: one router on each network that shares addresses, master on both or none.
File keepalived(const config::Cluster& cluster, const config::ClusterNode& node);
// Two nodes speak FTFW to each other; of more, each tells all (NOTRACK, multicast),
// because FTFW is for two. Failure{78} for more than two nodes of IPv6.
File conntrackd(const config::Cluster& cluster, const config::ClusterNode& node);
// For systemd: one that was killed leaves its lock, and would not start again; and of
// flows that began without it, it tells the other nodes only when asked to.
File conntrackd_unit();
// Absent where this node is none of <redis>, or of <sentinels>. `password`: empty,
// or as redis::is_password has it.
std::optional<File> redis(const config::Cluster& cluster, const config::ClusterNode& node, const std::string& password);
std::optional<File> sentinel(const config::Cluster& cluster, const config::ClusterNode& node,
                             const std::string& password);

}  // namespace cluster_text
