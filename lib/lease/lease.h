// lease/lease: one mapping of the forward proxy: who may use which ports of the proxy,
// and where they lead. This is the contents of /run/sallyport/leases/UUID and the
// answer of asp-lease; a record.
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

namespace lease {

struct Lease {
  std::string id;             // UUID, lower case
  std::string user;           // of the node API; empty where authentication is off
  IpAddress client;           // the only address that may use it
  IpAddress proxy;            // the address of ours that the client connected to, and is to use
  Port ssh_port = 0;          // TCP, on the proxy
  PortRange udp_ports{0, 0};  // on the proxy; beginning at ssh_port, as many as destination_udp_ports
  std::string destination;    // as the client asked for it: a name, or an address
  IpAddress address;          // its address at that time
  Port destination_ssh_port = 22;
  PortRange destination_udp_ports{33001, 33001};
  std::chrono::seconds renew_seconds{0};  // 0: no renewal is needed
  std::chrono::seconds lifetime{0};       // without renewal; 0: it lives as long as its flows do
  std::string started;                    // RFC 3339, UTC
  // CLOCK_BOOTTIME. With a lifetime, the time when it is over; without, the time when it is over unless
  // packets have come by then.
  std::chrono::seconds deadline{0};
  std::uint64_t packets = 0;  // at the last look, if it has no lifetime
  bool ending = false;        // its rule is being removed, or is gone; it never comes back

  // The owner: "user=NAME", or "client=ADDRESS" where authentication is off.
  std::string owner() const;
  // The number of ports of the proxy that it has taken; ssh_port is the first.
  int ports() const { return udp_ports.high - udp_ports.low + 1; }
  bool lives_by_flows() const { return lifetime.count() == 0; }
  bool is_over(std::chrono::seconds now) const { return deadline <= now; }

  // Strict; Failure{65}, also when client, proxy and address are not all IPv4 or
  // all IPv6.
  static Lease from_record(const Record& record);
  Record to_record() const;
};

// The highest number of UDP ports of one lease.
constexpr int kMaxUdpPorts = 100;

}  // namespace lease
