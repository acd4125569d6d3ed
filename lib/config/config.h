// config/config: what aspera.conf says, checked and typed; aspera.conf(5).
//
//   <CONF version="2"><server><rproxy><enabled>true</enabled><rules>
//     <rule host_ip="7.7.7.7"><host>10.0.0.10:22</host> … </rule>
//
// Source: the guide's chapter "Configuring the Server for Reverse Proxy".
// Elements of other products elsewhere in the file are ignored; within
// <rproxy> an unknown element or attribute is an error.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "config/destination.h"
#include "config/forwarding.h"
#include "config/xml.h"

namespace config {

struct Rule {
  int number = 0;          // from 1, in the order of the file
  unsigned long line = 0;  // its line in the file
  std::optional<Network> host_ip;
  std::optional<HostPort> host_domain;  // port 0: any
  std::vector<HostPort> hosts;          // at least one; the port is never 0
  bool balanced = false;                // written as <hosts>
  std::string squash_user;              // empty: the proxy user's own name
  std::string keyfile;                  // absolute; $(user) not yet expanded
  Port proxy_port = 33001;              // 0: ports kept over udp_port_range
  std::optional<Port> udp_port;         // absent: as proxy_port
  PortRange udp_port_range{33001, 33100};
  bool src_port_filtering = true;
  bool udp_port_reuse = true;
  std::chrono::seconds udp_linger{0};
  std::chrono::seconds udp_linger_limit{604800};
  std::optional<IpAddress> bind_source_address;
  Forwarding forwarding = Forwarding::iptables;
  std::vector<std::string> users;  // both empty: everybody
  std::vector<std::string> groups;
  std::chrono::seconds faulty_interval{120};
  std::chrono::seconds connect_timeout{10};
  unsigned max_sessions = 0;  // 0: no limit
  bool upstream_reuse = false;
  bool old_algorithms = false;
  bool operator==(const Rule&) const = default;
};

struct Rproxy {
  bool enabled = false;
  int log_level = 0;
  std::string log_directory;  // empty: syslog
  std::string known_hosts;    // absolute
  unsigned max_sessions = 0;
  unsigned max_sessions_per_user = 0;  // 0: half of max_sessions, rounded up
  unsigned iptables_sessions = 16;     // of an address family; what comes beyond is for nftables
  std::vector<Rule> rules;
  // 0: no limit.
  unsigned max_sessions_of_user() const {
    return max_sessions_per_user != 0 ? max_sessions_per_user : max_sessions / 2 + max_sessions % 2;
  }
  bool operator==(const Rproxy&) const = default;
};

// <server><proxy>, the forward proxy.
struct Proxy {
  bool enabled = false;
  bool authentication = true;
  std::optional<IpAddress> bind_ip_address;  // absent: every address of the host (0.0.0.0)
  std::optional<int> netmask;                // of bind_ip_address, in bits; see serves()
  Port port_range_low = 5000;
  Port port_range_high = 10000;
  std::chrono::seconds cleanup_interval{0};
  std::chrono::seconds keepalive_interval{0};
  std::chrono::seconds session_timeout{0};
  std::vector<Destination> allowed_destinations;  // empty: all
  std::vector<Destination> denied_destinations;
  unsigned max_leases_per_user = 0;
  // True if a client that has connected to the host's address `local` may ask. A netmask of no address is of `local`.
  bool serves(const IpAddress& client, const IpAddress& local) const {
    if (!netmask) return true;
    const IpAddress& base = bind_ip_address ? *bind_ip_address : local;
    return base.is_v4() && Network{base, *netmask}.contains(client);
  }
  bool operator==(const Proxy&) const = default;
};

// The node service, which takes the requests of the forward proxy.
struct Listener {
  std::optional<IpAddress> address;  // absent: <bind_ip_address>
  Port port = 0;
  bool tls = false;
};
struct Node {
  std::vector<Listener> listeners;  // <listen>, or what the four options before it amount to
  std::string cert_file;            // both empty: one made by the service itself
  std::string key_file;
  std::string chain_file;
  std::string iptables_path;
};

// <server><cluster>: several proxy hosts; sallyport-cluster(7).
struct ClusterNode {
  std::string name;   // as uname -n prints it
  IpAddress address;  // on the sync network
  bool operator==(const ClusterNode&) const = default;
};
// The addresses that VRRP moves on one network.
struct Shared {
  std::string interface;
  std::vector<Network> addresses;  // whole addresses, each with the bits of its network; empty: nothing is shared here
  bool operator==(const Shared&) const = default;
};
struct Cluster {
  bool enabled = false;
  std::vector<ClusterNode> nodes;  // when enabled: 2 to 16, of one family, all different
  Shared outside;
  Shared inside;
  std::string sync_interface;
  int router_id = 51;
  std::chrono::milliseconds advertisement_interval{100};
  std::vector<Endpoint> redis;      // empty: none; otherwise the first one starts as the master
  std::vector<Endpoint> sentinels;  // empty: redis[0] alone
  std::string redis_password_file;

  // nullptr: there is none of that name.
  const ClusterNode* node(std::string_view name) const;
  // The node that has the shared address inside gives leases, for all nodes.
  bool shares_leases() const { return enabled && !redis.empty() && !inside.addresses.empty(); }
  bool operator==(const Cluster&) const = default;
};

// A further command line that aspshell accepts.
struct Command {
  std::string pattern;  // as aspshell's built-in list writes them
  bool udp = true;
};

struct Config {
  bool border = true;                   // nothing but sessions and leases is forwarded between the proxy's networks
  unsigned max_flows_per_client = 512;  // through all of its sessions and leases; 0: no limit
  Rproxy rproxy;
  Proxy proxy;
  Node node;
  Cluster cluster;
  std::vector<Command> aspshell_commands;
};

// `file` is the name for messages. Failure{78} "file:line:column: why".
Config parse(std::string_view text, const std::string& file);

// The author that a reader requires. For privileged readers the file must belong to root and be
// writable by nobody else.
enum class Author { anyone, root };

Config load(const std::string& path, Author author = Author::anyone);

// The same file, checked, as a tree, for readers that need to know how it is written.
config::xml::Element load_document(const std::string& path, Author author = Author::anyone);

}  // namespace config
