// lease/lease: one mapping of the forward proxy: who may use which ports of the proxy,
// and where they lead. This is what lies in /run/sallyport/leases/UUID and what
// asp-lease answers; a record.
//
//   lease=3a9fd819-59c3-42bc-b0a2-d26304a1eb84
//   user=node_api_user
//   client=203.0.113.20
//   proxy=203.0.113.1
//   ssh_port=5000
//   udp_ports=5000:5000
//   destination=server.example.com
//   address=198.51.100.50
//   destination_ssh_port=33001
//   destination_udp_ports=33001:33001
//   renew_seconds=60
//   lifetime=180
//   started=2026-11-22T15:04:05Z
//   deadline=81453
//
// Source: the guide's chapter "Configuring the Server for Forward Proxy".
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/address.h"
#include "base/record.h"

struct Lease {
  std::string id;             // UUID, lower case
  std::string user;           // of the node API; empty where authentication is off
  IpAddress client;           // who may use it
  IpAddress proxy;            // the address of ours that he called, and is to call
  Port ssh_port = 0;          // TCP, on the proxy
  PortRange udp_ports{0, 0};  // on the proxy; from ssh_port on, as many as destination_udp_ports
  std::string destination;    // what he asked for: a name, or an address
  IpAddress address;          // what that was when he asked
  Port destination_ssh_port = 22;
  PortRange destination_udp_ports{33001, 33001};
  std::chrono::seconds renew_seconds{0};  // 0: need not be renewed
  std::chrono::seconds lifetime{0};       // without renewal; 0: lives as long as its flows do
  std::string started;                    // RFC 3339, UTC
  // CLOCK_BOOTTIME. With a lifetime, when it is over; without, when it is over
  // unless packets have come by then.
  std::chrono::seconds deadline{0};
  std::uint64_t packets = 0;  // seen at the last look, where there is no lifetime
  bool ending = false;        // its rule goes, or is gone; it never comes back

  // Whose it is: "user=NAME", or "client=ADDRESS" where authentication is off.
  std::string owner() const;
  // How many ports of the proxy it has taken, ssh_port the first of them.
  int ports() const { return udp_ports.high - udp_ports.low + 1; }
  bool lives_by_flows() const { return lifetime.count() == 0; }
  bool is_over(std::chrono::seconds now) const { return deadline <= now; }

  // Strict; Failure{65}, also when client, proxy and address are not all IPv4 or
  // all IPv6.
  static Lease from_record(const Record& record);
  Record to_record() const;
};

namespace lease {

// As many UDP ports as one lease may have.
constexpr int kMaxUdpPorts = 100;

}  // namespace lease
