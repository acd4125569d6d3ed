// base/address: IP addresses, endpoints and networks, parsed strictly and compared
// as numbers, never as text.
//
//   10.0.0.1:22   [2001:db8::1]:22   7.7.8.0/24   2001:db8::/32
//
// Only the forms of inet_pton(3) are accepted: no 010.0.0.1, no 10.1, no zone (%eth0). An
// IPv4 address mapped into IPv6 (::ffff:10.0.0.1, RFC 4291 2.5.5.2) becomes
// that IPv4 address.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <sys/socket.h>

using Port = std::uint16_t;

class IpAddress {
 public:
  // Absent when `text` is not an address.
  static std::optional<IpAddress> parse(std::string_view text);
  // `bytes` in network order, 4 or 16 of them.
  static IpAddress from_v4(const void* bytes);
  static IpAddress from_v6(const void* bytes);
  // AF_INET or AF_INET6; Failure{71} on another family.
  static IpAddress from_sockaddr(const sockaddr& address);

  bool is_v4() const { return v4_; }
  int family() const { return v4_ ? AF_INET : AF_INET6; }
  const char* family_name() const { return v4_ ? "IPv4" : "IPv6"; }
  // In network order; the first 4 or 16 bytes count.
  const std::uint8_t* bytes() const { return bytes_.data(); }
  bool is_loopback() const;  // 127.0.0.0/8, ::1
  std::string text() const;
  auto operator<=>(const IpAddress&) const = default;

 private:
  bool v4_ = true;
  std::array<std::uint8_t, 16> bytes_{};
};

struct Endpoint {
  IpAddress ip;
  Port port = 0;

  static std::optional<Endpoint> parse(std::string_view text);
  // Parses, or throws Failure{65} that names `what`.
  static Endpoint require(std::string_view text, std::string_view what);
  static Endpoint from_sockaddr(const sockaddr& address);
  // Fills `into` and returns its length.
  socklen_t to_sockaddr(sockaddr_storage& into) const;
  std::string text() const;
  auto operator<=>(const Endpoint&) const = default;
};

struct Network {
  IpAddress base;
  int prefix = 0;  // bits; host bits of `base` may be set and are ignored

  // "address" (one host) or "address/bits".
  static std::optional<Network> parse(std::string_view text);
  bool contains(const IpAddress& address) const;
  bool operator==(const Network&) const = default;
};

// A server as an administrator writes it: address or DNS name, optional port.
//   10.0.0.10   10.0.0.10:22   inside1.example.com:22   [2001:db8::1]:22
// A bare IPv6 address without brackets is legal without a port only.
struct HostPort {
  std::string host;  // an address in canonical form, or a name in lower case
  Port port = 0;     // 0: none given

  static std::optional<HostPort> parse(std::string_view text);
  std::string text() const;  // brackets around IPv6; ":port" unless 0
  // As known_hosts has it: "10.0.0.10", or "[10.0.0.10]:2222" when the port is neither 22 nor 0.
  std::string known_hosts_text() const;
  // Parses the result of known_hosts_text(); a name in upper case is accepted, too.
  static std::optional<HostPort> parse_known_hosts(std::string_view text);
  bool operator==(const HostPort&) const = default;
};

// 1 to 65535, as parse_decimal.
std::optional<Port> parse_port(std::string_view text);

// LOW:HIGH, or one port.
struct PortRange {
  Port low;
  Port high;  // inclusive

  static std::optional<PortRange> parse(std::string_view text);
  std::string text() const;  // LOW:HIGH
  bool operator==(const PortRange&) const = default;
};
