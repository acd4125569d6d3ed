#include "config/destination_policy.h"

#include <algorithm>
#include <cstring>

#include <fmt/core.h>

namespace config::destination {
namespace {

// A name whose last label inet_aton(3) would read as a number: 1, 017, 0x7f.
bool is_number(std::string_view label) {
  const bool hex = label.starts_with("0x");
  if (hex) label.remove_prefix(2);
  return std::all_of(label.begin(), label.end(),
                     [&](char c) { return (c >= '0' && c <= '9') || (hex && c >= 'a' && c <= 'f'); });
}

struct Special {
  const char* network;
  const char* what;
};

// Sources: RFC 6890 and the registries that it made; RFC 1112; RFC 3927; RFC 4291.
constexpr Special kSpecial[] = {
    {"0.0.0.0/8", "is not the address of a host"},
    {"127.0.0.0/8", "is a loopback address"},
    {"169.254.0.0/16", "is a link-local address"},
    {"224.0.0.0/4", "is a multicast address"},
    {"255.255.255.255", "is the broadcast address"},
    {"240.0.0.0/4", "is a reserved address"},
    {"::", "is not the address of a host"},
    {"::1", "is a loopback address"},
    {"::/96", "is an IPv4-compatible address, a kind that is out of use"},
    {"64:ff9b:1::/48", "is for a local translator, which may lead anywhere"},
    {"fe80::/10", "is a link-local address"},
    {"ff00::/8", "is a multicast address"},
};

// Sources: RFC 1918, 6598, 4193, 3879, 6890, 2544, 7526, 6666.
constexpr Special kPrivate[] = {
    {"10.0.0.0/8", "private"},
    {"172.16.0.0/12", "private"},
    {"192.168.0.0/16", "private"},
    {"100.64.0.0/10", "a carrier's own"},
    {"192.0.0.0/24", "for protocols"},
    {"198.18.0.0/15", "for benchmarks"},
    {"192.88.99.0/24", "of 6to4 relays"},
    {"fc00::/7", "private"},
    {"fec0::/10", "site-local"},
    {"100::/64", "to be discarded"},
};

struct Form {
  const char* network;
  int offset;     // of the four bytes of the IPv4 address
  bool inverted;  // each bit of it
};
constexpr Form kForms[] = {
    {"::/96", 12, false},            // IPv4-compatible
    {"::ffff:0:0:0/96", 12, false},  // translated, RFC 2765
    {"64:ff9b::/96", 12, false},     // NAT64, RFC 6052
    {"2002::/16", 2, false},         // 6to4
    {"2001::/32", 4, false},         // Teredo: its server
    {"2001::/32", 12, true},         // Teredo: its client
};

IpAddress embedded(const IpAddress& address, int offset, bool inverted) {
  std::uint8_t v4[4];
  std::memcpy(v4, address.bytes() + offset, sizeof v4);
  for (auto& byte : v4) byte = static_cast<std::uint8_t>(inverted ? ~byte : byte);
  return IpAddress::from_v4(v4);
}

// RFC 5214 6.1: the last eight bytes are [02]00:5efe and the IPv4 address.
bool is_isatap(const IpAddress& address) {
  const std::uint8_t* b = address.bytes() + 8;
  return (b[0] & ~2) == 0 && b[1] == 0 && b[2] == 0x5e && b[3] == 0xfe;
}

// The IPv4 addresses that an IPv6 address embeds.
std::vector<IpAddress> embedded_addresses(const IpAddress& address) {
  std::vector<IpAddress> found;
  if (address.is_v4()) return found;
  for (const auto& form : kForms) {
    if (Network::parse(form.network)->contains(address)) found.push_back(embedded(address, form.offset, form.inverted));
  }
  if (is_isatap(address)) found.push_back(embedded(address, 12, false));
  return found;
}

bool within(const std::vector<Network>& networks, const IpAddress& address) {
  return std::any_of(networks.begin(), networks.end(),
                     [&](const Network& network) { return network.contains(address); });
}

std::string special(const IpAddress& address, const std::vector<Network>& own) {
  for (const auto& one : kSpecial) {
    if (Network::parse(one.network)->contains(address)) return one.what;
  }
  return within(own, address) ? "is the proxy's own address" : "";
}

// Why `address` needs an entry of <allowed_destinations>; empty: it does not.
std::string closed(const IpAddress& address, const std::vector<Network>& connected) {
  for (const auto& one : kPrivate) {
    if (Network::parse(one.network)->contains(address)) return fmt::format("{} is {}", one.network, one.what);
  }
  for (const auto& network : connected) {
    if (network.contains(address))
      return fmt::format("this host is in the network of {}/{}", network.base.text(), network.prefix);
  }
  return "";
}

bool matches_name(const std::string& pattern, const std::string& name) {
  if (!pattern.starts_with("*.")) return pattern == name;
  const std::string_view tail = std::string_view(pattern).substr(1);
  return name.size() > tail.size() && name.ends_with(tail);
}

bool has_port(const Destination& entry, Port port) {
  return !entry.ports || (entry.ports->low <= port && port <= entry.ports->high);
}

// Which part of an entry may match.
enum class By { address, address_or_name };

// `addresses` all stand for the same destination.
bool matches(const Destination& entry, const std::vector<IpAddress>& addresses, const std::string& name, Port port,
             By by) {
  if (!has_port(entry, port)) return false;
  if (!entry.network) return by == By::address_or_name && !name.empty() && matches_name(entry.name, name);
  return std::any_of(addresses.begin(), addresses.end(),
                     [&](const IpAddress& one) { return entry.network->contains(one); });
}

// The SSH port, then each UDP port.
std::vector<Port> ports_of(const Asked& asked) {
  std::vector<Port> ports{asked.ssh_port};
  for (long port = asked.udp_ports.low; port <= asked.udp_ports.high; ++port) ports.push_back(static_cast<Port>(port));
  return ports;
}

// The first port that no entry of `list` is for.
std::optional<Port> unmatched(const std::vector<Destination>& list, const Asked& asked, By by) {
  for (const Port port : ports_of(asked)) {
    const auto is_for = [&](const Destination& entry) { return matches(entry, {asked.address}, asked.name, port, by); };
    if (std::none_of(list.begin(), list.end(), is_for)) return port;
  }
  return std::nullopt;
}

bool is_denied(const std::vector<Destination>& list, const Asked& asked, Port port) {
  auto addresses = embedded_addresses(asked.address);
  addresses.push_back(asked.address);
  return std::any_of(list.begin(), list.end(), [&](const Destination& entry) {
    return matches(entry, addresses, asked.name, port, By::address_or_name);
  });
}

}  // namespace

std::optional<Target> Target::parse(std::string_view text) {
  if (const auto address = IpAddress::parse(text)) return Target{address, ""};
  if (text.ends_with('.')) text.remove_suffix(1);
  const auto host = HostPort::parse(text);
  if (!host || host->port != 0 || text.find(':') != text.npos || IpAddress::parse(host->host)) return std::nullopt;
  const std::string_view name = host->host;
  const auto dot = name.rfind('.');
  const auto last = dot == name.npos ? name : name.substr(dot + 1);
  if (is_number(last) || last == "localhost") return std::nullopt;
  return Target{std::nullopt, host->host};
}

std::string never_reachable(const IpAddress& address, const std::vector<Network>& own) {
  const std::string why = special(address, own);
  if (!why.empty()) return why;
  for (const auto& meant : embedded_addresses(address)) {
    const std::string inner = special(meant, own);
    if (!inner.empty()) return fmt::format("stands for an IPv4 address that {}", inner);
  }
  return "";
}

std::vector<Network> infrastructure(const Cluster& cluster) {
  std::vector<Network> found;
  const auto add = [&](const IpAddress& address) { found.push_back({address, address.is_v4() ? 32 : 128}); };
  for (const auto& node : cluster.nodes) add(node.address);
  for (const auto* shared : {&cluster.outside, &cluster.inside}) {
    for (const auto& address : shared->addresses) add(address.base);
  }
  for (const auto* ends : {&cluster.redis, &cluster.sentinels}) {
    for (const auto& end : *ends) add(end.ip);
  }
  return found;
}

Policy::Policy(const Config& config, const Surroundings& here)
    : allowed(config.proxy.allowed_destinations),
      denied(config.proxy.denied_destinations),
      own(infrastructure(config.cluster)),
      connected(here.connected) {
  own.insert(own.end(), here.own.begin(), here.own.end());
}

Judgement judge(const Policy& policy, const Asked& asked) {
  const std::string shown = asked.name.empty() ? asked.address.text() : asked.name;
  const auto refused = [&](const std::string& reason, const std::string& why = "") {
    const std::string about = asked.name.empty() ? "" : fmt::format(" ({})", asked.address.text());
    return Judgement{Verdict::refused, reason, reason + about + (why.empty() ? "" : ": " + why)};
  };
  const std::string why = never_reachable(asked.address, policy.own);
  if (!why.empty())
    return refused(
        fmt::format("{} {}{}, where no lease may lead", shown, asked.name.empty() ? "" : "has an address that ", why));
  for (const Port port : ports_of(asked)) {
    if (is_denied(policy.denied, asked, port))
      return refused(fmt::format("port {} of {} is among the denied destinations", port, shown));
  }
  if (policy.allowed.empty()) {
    auto addresses = embedded_addresses(asked.address);
    addresses.push_back(asked.address);
    for (const auto& address : addresses) {
      const std::string need = closed(address, policy.connected);
      if (!need.empty())
        return refused(fmt::format("{} is not among the allowed destinations", shown),
                       need + ", and there are no <allowed_destinations>");
    }
    return {Verdict::permitted, "", ""};
  }
  if (!unmatched(policy.allowed, asked, By::address)) return {Verdict::permitted, "", ""};
  const auto port = unmatched(policy.allowed, asked, By::address_or_name);
  if (!port) return {Verdict::permitted_by_name, "", ""};
  return refused(fmt::format("port {} of {} is not among the allowed destinations", *port, shown));
}

}  // namespace config::destination
