// config/value: what the values in aspera.conf look like, for those that have
// no type of their own elsewhere (base/address.h, base/decimal.h).
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
// Account names parted by commas or white space; one wrong name makes all wrong.
std::vector<std::string> names(std::string_view text);

// No control characters.
bool is_text(std::string_view text);
// A name that useradd(8) might have made: 1 to 64 printable ASCII characters
// without space, slash and colon, and no dash in front.
bool is_account(std::string_view text);
// Absolute; no control characters.
bool is_path(std::string_view text);
// The same; of variables $(…) only user and name, closed.
bool is_user_path(std::string_view text);
// is_user_path, or scheme://….
bool is_docroot(std::string_view text);
// Of IPv4: ones, then zeros, as a dotted quad; how many ones.
std::optional<int> netmask(std::string_view text);
// [address:]port[s], an IPv6 address in brackets.
struct Listen {
  std::optional<IpAddress> address;
  Port port = 0;
  bool tls = false;
};
// Parted by commas; one that is not valid makes all so.
std::vector<Listen> listen(std::string_view text);

// 1 to 15 letters, digits, dots, dashes and underscores, beginning with a letter
// or digit.
bool is_interface(std::string_view text);
// The same, of 1 to 64, without underscores.
bool is_host_name(std::string_view text);
// address/bits with the address whole, parted by commas or white space; one that
// is not valid makes all so, as does one that no host can have (0.0.0.0, ::, and
// those of all hosts and of multicast).
std::vector<Network> own_addresses(std::string_view text);
// address:port, parted by commas or white space.
std::vector<Endpoint> endpoints(std::string_view text);

}  // namespace config::value
