// answer: the answers of the node API, parsed strictly.
//
//   {"id":"3a9fd819-59c3-42bc-b0a2-d26304a1eb84","host":"203.0.113.1","ssh_port":5000,
//    "udp_port":5000,"renew_seconds":60,"expires":"2026-11-22T15:07:05Z"}
//   {"error":{"code":"destination_denied","message":"Port 25 of server.example.com is not permitted."}}
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/address.h"
#include "base/failure.h"
#include "http/node_client.h"

namespace forward {

// A lease as its user sees it.
struct Leased {
  std::string id;
  IpAddress host;  // of the proxy
  Port ssh_port = 0;
  PortRange udp_ports{0, 0};
  std::chrono::seconds renew_seconds{0};  // 0: no renewal is needed
  std::string expires;                    // RFC 3339; empty: the lease lives as long as it is used
};

// Failure{65} when it is not as above; other members are ignored.
Leased parse_lease(std::string_view json);

// The text of an error answer for people: the API's sentence, or the HTTP status.
std::string sentence(const node_client::Answer& answer);

// The program's exit status for an HTTP status.
tool::Exit exit_for(long http_status);

}  // namespace forward
