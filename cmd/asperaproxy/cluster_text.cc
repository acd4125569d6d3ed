#include "cluster_text.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/failure.h"
#include "base/paths.h"

namespace cluster_text {
namespace {

using config::Cluster;
using config::ClusterNode;
using config::Shared;

constexpr char kHead[] = "# Written by asperaproxy cluster-config from aspera.conf; change it there.\n";
constexpr Port kSyncPort = 3780;
constexpr char kConntrackdLock[] = "/var/lock/conntrackd.lock";

std::string text_of(const Network& address) { return fmt::format("{}/{}", address.base.text(), address.prefix); }

// The first node starts as the master. No node takes the addresses from a living master, since
// sessions end when their address moves. A lower priority waits longer for a dead master: (256 -
// priority) / 256 of an interval (RFC 9568, 6.1). 255 is for a router that never gives an address
// away.
int priority_of(const Cluster& cluster, const ClusterNode& node) {
  constexpr int kHighestPriority = 254;
  const auto at = std::find_if(cluster.nodes.begin(), cluster.nodes.end(),
                               [&](const ClusterNode& each) { return each.name == node.name; });
  return kHighestPriority - static_cast<int>(at - cluster.nodes.begin());
}

std::string address_block(const char* keyword, const Shared& shared, bool v4) {
  std::string lines;
  for (const auto& address : shared.addresses) {
    if (address.base.is_v4() == v4) lines += fmt::format("        {} dev {}\n", text_of(address), shared.interface);
  }
  return lines.empty() ? "" : fmt::format("    {} {{\n{}    }}\n", keyword, lines);
}

// A VRRP packet names addresses of one family; the other family's move along with them.
std::string vrrp_instance(const char* name, const Shared& shared, int router_id, int priority,
                          std::chrono::milliseconds interval) {
  const bool v4 = std::any_of(shared.addresses.begin(), shared.addresses.end(),
                              [](const Network& each) { return each.base.is_v4(); });
  return fmt::format("\nvrrp_instance {} {{\n"
                     "    state BACKUP\n"
                     "    nopreempt\n"
                     "    interface {}\n"
                     "    virtual_router_id {}\n"
                     "    priority {}\n"
                     "    advert_int {}.{:02}\n"
                     "{}{}}}\n",
                     name, shared.interface, router_id, priority, interval.count() / 1000, interval.count() % 1000 / 10,
                     address_block("virtual_ipaddress", shared, v4),
                     address_block("virtual_ipaddress_excluded", shared, !v4));
}

// conntrackd's name of an address, by family: IPv4_address, IPv6_address.
std::string ct_address(const char* before, const IpAddress& ip, const char* after) {
  return fmt::format("{}{}{} {}\n", before, ip.family_name(), after, ip.text());
}

std::string transport(const Cluster& cluster, const ClusterNode& node) {
  if (cluster.nodes.size() == 2) {
    const ClusterNode& peer = cluster.nodes[0].name == node.name ? cluster.nodes[1] : cluster.nodes[0];
    return fmt::format("    Mode FTFW {{\n"
                       "        StartupResync yes\n"
                       "        DisableExternalCache no\n"
                       "    }}\n"
                       "    UDP {{\n{}{}"
                       "        Port {}\n"
                       "        Interface {}\n"
                       "        SndSocketBuffer 1249280\n"
                       "        RcvSocketBuffer 1249280\n"
                       "        Checksum on\n"
                       "    }}\n",
                       ct_address("        ", node.address, "_address"),
                       ct_address("        ", peer.address, "_Destination_Address"), kSyncPort, cluster.sync_interface);
  }
  if (!node.address.is_v4())
    throw tool::Failure(tool::config, "more than two nodes need IPv4 addresses on the sync network: conntrackd(8) "
                                      "tells several by IPv4 multicast alone");
  return fmt::format("    Mode NOTRACK {{\n"
                     "        StartupResync yes\n"
                     "        DisableExternalCache no\n"
                     "    }}\n"
                     "    Multicast {{\n"
                     "        IPv4_address 225.0.0.50\n"
                     "        Group {}\n"
                     "        IPv4_interface {}\n"
                     "        Interface {}\n"
                     "        SndSocketBuffer 1249280\n"
                     "        RcvSocketBuffer 1249280\n"
                     "        Checksum on\n"
                     "    }}\n",
                     kSyncPort, node.address.text(), cluster.sync_interface);
}

// The first one on this node.
const Endpoint* own(const std::vector<Endpoint>& all, const ClusterNode& node) {
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Endpoint& each) { return each.ip == node.address; });
  return found == all.end() ? nullptr : &*found;
}

std::string optional_line(const char* words, const std::string& value) {
  return value.empty() ? "" : fmt::format("{} {}\n", words, value);
}

}  // namespace

File keepalived(const Cluster& cluster, const ClusterNode& node) {
  const int priority = priority_of(cluster, node);
  std::string members;
  std::string instances;
  int router_id = cluster.router_id;
  for (const auto& [name, shared] : {std::pair{"outside", &cluster.outside}, {"inside", &cluster.inside}}) {
    if (!shared->addresses.empty()) {
      members += fmt::format("        {}\n", name);
      instances += vrrp_instance(name, *shared, router_id, priority, cluster.advertisement_interval);
    }
    ++router_id;  // both networks may be the same one
  }
  std::string text = fmt::format("{}global_defs {{\n"
                                 "    router_id {}\n"
                                 "    vrrp_version 3\n"
                                 "    script_user root\n"
                                 "    enable_script_security\n"
                                 "    vrrp_rt_priority 50\n"
                                 "    vrrp_garp_master_delay 1\n"
                                 "    vrrp_garp_master_repeat 3\n"
                                 "    vrrp_garp_lower_prio_repeat 3\n"
                                 "    vrrp_garp_master_refresh 60\n"
                                 "}}\n",
                                 kHead, node.name);
  if (!instances.empty()) {
    text += fmt::format("\nvrrp_script health {{\n"
                        "    script \"{0}asperaproxy health\"\n"
                        "    interval 1\n"
                        "    timeout 5\n"
                        "    fall 2\n"
                        "    rise 1\n"
                        "}}\n"
                        "\nvrrp_sync_group sallyport {{\n"
                        "    group {{\n{1}    }}\n"
                        "    track_script {{\n"
                        "        health\n"
                        "    }}\n"
                        "    notify_master \"{0}asperaproxy takeover\"\n"
                        "    notify_backup \"{0}asperaproxy standby\"\n"
                        "    notify_fault \"{0}asperaproxy standby\"\n"
                        "}}\n",
                        paths::kBin, members);
  }
  return {"keepalived.conf", text + instances, kKeepalived, ""};
}

File conntrackd(const Cluster& cluster, const ClusterNode& node) {
  std::string ignored = "            IPv4_address 127.0.0.1\n            IPv6_address ::1\n";
  for (const auto& each : cluster.nodes) ignored += ct_address("            ", each.address, "_address");
  return {"conntrackd.conf",
          fmt::format("{}Sync {{\n{}}}\n"
                      "General {{\n"
                      "    HashSize 65536\n"
                      "    HashLimit 262144\n"
                      "    Syslog on\n"
                      "    LockFile {}\n"
                      "    UNIX {{\n"
                      "        Path /run/conntrackd.ctl\n"
                      "    }}\n"
                      "    NetlinkBufferSize 2097152\n"
                      "    NetlinkBufferSizeMaxGrowth 33554432\n"
                      "    Filter From Kernelspace {{\n"
                      "        Protocol Accept {{\n"
                      "            TCP\n"
                      "            UDP\n"
                      "        }}\n"
                      "        Address Ignore {{\n{}        }}\n"
                      "    }}\n"
                      "}}\n",
                      kHead, transport(cluster, node), kConntrackdLock, ignored),
          kConntrackd, ""};
}

File conntrackd_unit() {
  return {"conntrackd.service.conf",
          fmt::format("{}[Service]\nExecStartPre=-/bin/rm -f {}\nExecStartPost=-/usr/sbin/conntrackd -B\n", kHead,
                      kConntrackdLock),
          "/etc/systemd/system/conntrackd.service.d/sallyport.conf", ""};
}

// Nothing is kept on disk: leases end by themselves, and lost ones are leased again. A Redis with old
// data would be worse than an empty one.
std::optional<File> redis(const Cluster& cluster, const ClusterNode& node, const std::string& password) {
  const Endpoint* const here = own(cluster.redis, node);
  if (!here) return std::nullopt;
  const Endpoint& first = cluster.redis.front();
  std::string text = fmt::format("{}bind {} {}\n"
                                 "port {}\n"
                                 "protected-mode yes\n"
                                 "daemonize no\n"
                                 "supervised auto\n"
                                 "dir /var/lib/redis\n"
                                 "save \"\"\n"
                                 "appendonly no\n"
                                 "rdb-del-sync-files yes\n"
                                 "maxmemory 256mb\n"
                                 "maxmemory-policy noeviction\n"
                                 "timeout 0\n"
                                 "tcp-keepalive 10\n"
                                 "repl-timeout 10\n"
                                 "repl-ping-replica-period 1\n"
                                 "min-replicas-to-write 0\n",
                                 kHead, here->ip.text(), here->ip.is_v4() ? "127.0.0.1" : "::1", here->port);
  text += optional_line("requirepass", password) + optional_line("masterauth", password);
  if (*here != first) text += fmt::format("replicaof {} {}\n", first.ip.text(), first.port);
  return File{"redis.conf", text, "/etc/redis/redis.conf", "redis"};
}

std::optional<File> sentinel(const Cluster& cluster, const ClusterNode& node, const std::string& password) {
  const Endpoint* const here = own(cluster.sentinels, node);
  if (!here) return std::nullopt;
  const Endpoint& first = cluster.redis.front();
  std::string text = fmt::format("{}bind {} {}\n"
                                 "port {}\n"
                                 "protected-mode yes\n"
                                 "daemonize no\n"
                                 "supervised auto\n"
                                 "dir /var/lib/redis\n",
                                 kHead, here->ip.text(), here->ip.is_v4() ? "127.0.0.1" : "::1", here->port);
  text += optional_line("requirepass", password) + optional_line("sentinel sentinel-pass", password);
  text += fmt::format("sentinel monitor sallyport {} {} {}\n"
                      "sentinel down-after-milliseconds sallyport 1000\n"
                      "sentinel failover-timeout sallyport 5000\n"
                      "sentinel parallel-syncs sallyport 16\n",
                      first.ip.text(), first.port, cluster.sentinels.size() / 2 + 1);
  text += optional_line("sentinel auth-pass sallyport", password);
  return File{"sentinel.conf", text, "/etc/redis/sentinel.conf", "redis"};
}

}  // namespace cluster_text
