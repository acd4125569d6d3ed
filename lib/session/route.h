// session/route: where a session goes, as asp-match answers it.
//
//   rule=2
//   upstream_user=xfer
//   keyfile=/opt/aspera/proxy/etc/ssh_keys/id_rsa
//   host=10.0.0.10:22
//   host=10.0.0.11:22
//   proxy_port=33001
//   udp_port=33001
//   src_port_filtering=true
//
// `host` repeats, in the order to try. proxy_port=0 means ports kept: then
// udp_port_range says which. Fields with their default value are left out.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/record.h"
#include "config/forwarding.h"

namespace session {

struct Route {
  int rule = 0;
  std::string upstream_user;
  std::string keyfile;          // $(user) expanded
  std::vector<HostPort> hosts;  // ports never 0
  Port proxy_port = 33001;      // 0: ports kept
  Port udp_port = 33001;        // on the internal server; 0 when ports are kept
  PortRange udp_port_range{33001, 33100};
  bool src_port_filtering = true;
  std::chrono::seconds udp_linger{0};
  std::chrono::seconds connect_timeout{10};
  std::string known_hosts;
  std::optional<IpAddress> bind_source_address;
  config::Forwarding forwarding = config::Forwarding::iptables;
  std::chrono::seconds faulty_interval{120};
  bool upstream_reuse = false;
  bool old_algorithms = false;
  bool keyfile_of_user = false;  // the path depends on the user's name; not in the record

  Record to_record() const;
  // Failure{65}.
  static Route from_record(const Record& record);

  // Where a session goes, for the log, `server` being one of the hosts: "rule=... server=... upstream_user=...".
  std::string identity(const std::string& server) const;
};

}  // namespace session
