// lease_request: the body of POST /proxy/leases.
//
//   {"destination":"server.example.com","ssh_port":33001,"udp_port":"33001:33010"}
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/address.h"
#include "config/destination_policy.h"

namespace asperanoded {

struct LeaseRequest {
  std::string destination;             // name, in lower case, or address
  config::destination::Target target;  // the same, parsed
  Port ssh_port = 22;
  PortRange udp_ports{33001, 33001};  // at most lease::kMaxUdpPorts
  std::optional<IpAddress> client;

  // Strict: JSON (RFC 8259) with only these members, each once. Refusal "bad_request" says what is wrong.
  static LeaseRequest parse(std::string_view body);
};

// True for application/json, perhaps with charset=utf-8.
bool is_json(std::string_view content_type);

// Accepts an empty body or an empty object: Refusal "bad_request" otherwise.
void require_nothing(std::string_view body);

}  // namespace asperanoded
