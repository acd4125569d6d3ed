// config/value: how the values in aspera.conf are written, as far as they have no
// type of their own elsewhere (base/address.h, base/decimal.h).
//
//   true   33001   bear, bobcat   /home/$(user)/.ssh/id_rsa   9091,9092s
//
// Nothing here fails: absent, empty or false means not valid.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/decimal.h"

namespace config::value {

std::optional<bool> boolean(std::string_view text);
inline std::optional<long> number(std::string_view text, long low, long high) { return parse_decimal(text, low, high); }
// Names of accounts or groups, separated by commas or white space; one with a blank in it stands between
// double quotes. Empty if one of them is not valid.
std::vector<std::string> names(std::string_view text);

// True for a text without control characters.
bool is_text(std::string_view text);
// accounts::is_name
bool is_account(std::string_view text);
// True for an absolute path without control characters.
bool is_path(std::string_view text);
// Like is_path; the only variables $(…) are user and name, and each is closed.
bool is_user_path(std::string_view text);
// Like is_user_path, also with $(home) in the place of its beginning, or scheme://….
bool is_docroot(std::string_view text);
// The number of ones in an IPv4 netmask: ones, then zeros, as a dotted quad.
std::optional<int> netmask(std::string_view text);
// [address:]port[s], an IPv6 address in brackets.
struct Listen {
  std::optional<IpAddress> address;
  Port port = 0;
  bool tls = false;
};
// Separated by commas; empty if one of them is not valid.
std::vector<Listen> listen(std::string_view text);

// True for 1 to 15 letters, digits, dots, dashes and underscores, beginning with a letter or digit.
bool is_interface(std::string_view text);
// Like is_interface, with 1 to 64 characters and without underscores.
bool is_host_name(std::string_view text);
// address/bits, with the whole address, separated by commas or white space. Empty if one of them is
// not valid, or is one that no host can have: 0.0.0.0, ::, the addresses of all hosts, multicast.
std::vector<Network> own_addresses(std::string_view text);
// address:port, separated by commas or white space.
std::vector<Endpoint> endpoints(std::string_view text);

}  // namespace config::value
