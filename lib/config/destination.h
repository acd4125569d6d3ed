// config/destination: the lists of destinations in aspera.conf; aspera.conf(5),
// <allowed_destinations> and <denied_destinations>. config/destination_policy.h
// decides by them where a lease may lead.
//
//   203.0.113.0/24   [2001:db8::/32]:33001   [2001:db8::]/32:33001
//    server.example.com:22   *.example.com:33001-33100
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"

namespace config {

// One entry of such a list.
struct Destination {
  std::optional<Network> network;  // absent: a name
  std::string name;                // lower case; "*.example.com" is every name below it
  std::optional<PortRange> ports;  // absent: all

  static std::optional<Destination> parse(std::string_view text);
  bool operator==(const Destination&) const = default;
};

}  // namespace config

namespace config::destination {

// Separated by commas or white space; absent when one of them is not valid.
std::optional<std::vector<Destination>> parse_list(std::string_view text);

}  // namespace config::destination
