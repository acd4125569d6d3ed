#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include <fmt/core.h>

#include "base/decimal.h"
#include "base/failure.h"

namespace {

// Host name, RFC 1123 section 2.1, with the underscore that DNS also carries.
bool is_host_name(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  bool digits_only = true;
  while (!name.empty()) {
    const auto dot = std::min(name.find('.'), name.size());
    const auto label = name.substr(0, dot);
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
    for (const char c : label) {
      const bool letter = (c >= 'a' && c <= 'z') || c == '_' || c == '-';
      if (!letter && (c < '0' || c > '9')) return false;
      if (letter) digits_only = false;
    }
    if (dot + 1 == name.size()) return false;
    name.remove_prefix(std::min(dot + 1, name.size()));
  }
  return !digits_only;  // 10.1 and 4711 are misspelt addresses, not names
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace

std::optional<Port> parse_port(std::string_view text) {
  const auto value = parse_decimal(text, 1, 65535);
  if (!value) return std::nullopt;
  return static_cast<Port>(*value);
}

std::optional<PortRange> PortRange::parse(std::string_view text) {
  const auto colon = text.find(':');
  const auto low = parse_port(text.substr(0, colon));
  const auto high = colon == text.npos ? low : parse_port(text.substr(colon + 1));
  if (!low || !high || *low > *high) return std::nullopt;
  return PortRange{*low, *high};
}

std::string PortRange::text() const { return fmt::format("{}:{}", low, high); }

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  const std::string copy(text);
  std::uint8_t raw[16];
  if (copy.size() != std::strlen(copy.c_str())) return std::nullopt;
  if (::inet_pton(AF_INET, copy.c_str(), raw) == 1) return from_v4(raw);
  if (::inet_pton(AF_INET6, copy.c_str(), raw) == 1) return from_v6(raw);
  return std::nullopt;
}

IpAddress IpAddress::from_v4(const void* bytes) {
  IpAddress address;
  std::memcpy(address.bytes_.data(), bytes, 4);
  return address;
}

IpAddress IpAddress::from_v6(const void* bytes) {
  static constexpr std::uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::memcmp(bytes, kMapped, sizeof kMapped) == 0) return from_v4(static_cast<const std::uint8_t*>(bytes) + 12);
  IpAddress address;
  address.v4_ = false;
  std::memcpy(address.bytes_.data(), bytes, 16);
  return address;
}

IpAddress IpAddress::from_sockaddr(const sockaddr& address) {
  if (address.sa_family == AF_INET) return from_v4(&reinterpret_cast<const sockaddr_in&>(address).sin_addr);
  if (address.sa_family == AF_INET6) return from_v6(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
  throw tool::Failure(tool::os, fmt::format("address family {} is neither IPv4 nor IPv6", address.sa_family));
}

bool IpAddress::is_loopback() const {
  static constexpr std::array<std::uint8_t, 16> kOne{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return v4_ ? bytes_[0] == 127 : bytes_ == kOne;
}

std::string IpAddress::text() const {
  char buffer[INET6_ADDRSTRLEN];
  return ::inet_ntop(family(), bytes(), buffer, sizeof buffer);
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == text.npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto ip = IpAddress::parse(host);
  const auto port = parse_port(text.substr(colon + 1));
  if (!ip || !port || bracketed != (host.find(':') != host.npos)) return std::nullopt;
  return Endpoint{*ip, *port};
}

Endpoint Endpoint::require(std::string_view text, std::string_view what) {
  if (const auto parsed = parse(text)) return *parsed;
  throw tool::Failure(tool::bad_input, fmt::format("{}: '{}' is not address:port", what, text));
}

Endpoint Endpoint::from_sockaddr(const sockaddr& address) {
  const auto port = address.sa_family == AF_INET ? reinterpret_cast<const sockaddr_in&>(address).sin_port
                                                 : reinterpret_cast<const sockaddr_in6&>(address).sin6_port;
  return {IpAddress::from_sockaddr(address), ntohs(port)};
}

socklen_t Endpoint::to_sockaddr(sockaddr_storage& into) const {
  std::memset(&into, 0, sizeof into);
  into.ss_family = static_cast<sa_family_t>(ip.family());
  if (ip.is_v4()) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(into);
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, ip.bytes(), 4);
    return sizeof v4;
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(into);
  v6.sin6_port = htons(port);
  std::memcpy(&v6.sin6_addr, ip.bytes(), 16);
  return sizeof v6;
}

std::string Endpoint::text() const {
  return ip.is_v4() ? fmt::format("{}:{}", ip.text(), port) : fmt::format("[{}]:{}", ip.text(), port);
}

std::optional<Network> Network::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto ip = IpAddress::parse(text.substr(0, slash));
  if (!ip) return std::nullopt;
  const int whole = ip->is_v4() ? 32 : 128;
  if (slash == text.npos) return Network{*ip, whole};
  const auto prefix = parse_decimal(text.substr(slash + 1), 0, whole);
  if (!prefix) return std::nullopt;
  return Network{*ip, static_cast<int>(*prefix)};
}

bool Network::contains(const IpAddress& address) const {
  if (address.is_v4() != base.is_v4()) return false;
  const int whole = prefix / 8;
  if (std::memcmp(address.bytes(), base.bytes(), static_cast<std::size_t>(whole)) != 0) return false;
  const int rest = prefix % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
  return ((address.bytes()[whole] ^ base.bytes()[whole]) & mask) == 0;
}

std::optional<HostPort> HostPort::parse(std::string_view text) {
  if (const auto endpoint = Endpoint::parse(text)) return HostPort{endpoint->ip.text(), endpoint->port};
  if (const auto ip = IpAddress::parse(text)) return HostPort{ip->text(), 0};
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') {
    const auto inner = text.substr(1, text.size() - 2);
    const auto ip = IpAddress::parse(inner);
    if (!ip || inner.find(':') == inner.npos) return std::nullopt;
    return HostPort{ip->text(), 0};
  }
  const auto colon = text.find(':');
  const std::string name = lower(text.substr(0, colon));
  if (!is_host_name(name)) return std::nullopt;
  if (colon == text.npos) return HostPort{name, 0};
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) return std::nullopt;
  return HostPort{name, *port};
}

std::string HostPort::text() const {
  const bool v6 = host.find(':') != std::string::npos;
  const std::string bare = v6 ? "[" + host + "]" : host;
  return port == 0 ? bare : fmt::format("{}:{}", bare, port);
}

std::optional<HostPort> HostPort::parse_known_hosts(std::string_view text) {
  Port port = 0;
  if (text.starts_with('[')) {
    const auto end = text.find("]:");
    const auto behind = end == text.npos ? std::nullopt : parse_port(text.substr(end + 2));
    if (!behind) return std::nullopt;
    port = *behind;
    text = text.substr(1, end - 1);
    if (text.starts_with('[')) return std::nullopt;
  }
  auto host = parse(text);
  if (!host || host->port != 0) return std::nullopt;
  host->port = port;
  return host;
}

std::string HostPort::known_hosts_text() const {
  return port == 22 || port == 0 ? host : fmt::format("[{}]:{}", host, port);
}
