// sheet: what the administrator hands to a user outside, so that they can log in and transfer.
//
//   Access for bear
//
//     Host      198.51.100.39
//     SSH       TCP 33001
//     Data      UDP 33001, both ways
//     User      bear
//     Host key  ssh-ed25519 SHA256:9vKn…
#pragma once

#include <string>
#include <vector>

#include "base/address.h"

namespace sheet {

// One address of the proxy, and what is behind it for that user.
struct Place {
  std::string host;  // an address of the proxy
  PortRange udp;
  bool operator==(const Place&) const = default;
};

struct Facts {
  std::string user;
  std::vector<Place> places;  // at least one
  std::vector<Port> ssh_ports;
  std::vector<std::string> host_keys;  // "ssh-ed25519 SHA256:…"
  std::vector<std::string> user_keys;  // those that open the account, likewise; none: no key yet
};

// Pure.
std::string text_of(const Facts& facts);

}  // namespace sheet
