// config/destination_policy: where a lease of the forward proxy may lead; aspera.conf(5),
// <allowed_destinations> and <denied_destinations>. Pure: the caller has resolved names, and read
// the host's own addresses and networks (kernel/own_addresses.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "config/config.h"
#include "config/destination.h"

namespace config::destination {

// The destination that a client asks for.
struct Target {
  std::optional<IpAddress> address;  // absent: a name
  std::string name;                  // lower case, without the dot at its end; empty: an address

  // Accepts an address as inet_pton(3) takes it, or a DNS name. Other writings of an address that
  // inet_aton(3), and with it getaddrinfo(3), would take (127.1, 0x7f.1, 2130706433, 017700000001, 0) are
  // refused. So are localhost and the names below it, ports, brackets, zones and empty texts.
  static std::optional<Target> parse(std::string_view text);
};

// The reason why no lease may lead to `address`, whatever the settings: "is a loopback address". Empty
// when a lease may. Addresses within `own` are refused, too. So are the IPv6 addresses that embed a
// refused IPv4 address: IPv4-compatible (RFC 4291 2.5.5.1), translated (RFC 6052, RFC 2765), 6to4 (RFC
// 3056), Teredo (RFC 4380), ISATAP (RFC 5214). Only their translator knows where the addresses of
// 64:ff9b:1::/48 (RFC 8215) lead, so all of them are refused.
std::string never_reachable(const IpAddress& address, const std::vector<Network>& own);

// Where the host is.
struct Surroundings {
  std::vector<Network> own;        // its addresses
  std::vector<Network> connected;  // the networks that it is in
};

// Every address of the proxies themselves that aspera.conf names: nodes, what they share, Redis, Sentinels.
std::vector<Network> infrastructure(const Cluster& cluster);

// The policy of <proxy>.
struct Policy {
  // `config` outlives it.
  Policy(const Config& config, const Surroundings& here);

  const std::vector<Destination>& allowed;  // empty: all, but for private networks and those in `connected`
  const std::vector<Destination>& denied;
  std::vector<Network> own;  // infrastructure included
  std::vector<Network> connected;
};

// The lease that a client asks for.
struct Asked {
  std::string name;   // as Target::parse gives it; empty: the client asked for an address
  IpAddress address;  // one of the addresses of `name`
  Port ssh_port = 22;
  PortRange udp_ports{33001, 33001};
};

enum class Verdict {
  refused,
  permitted,          // for its address alone
  permitted_by_name,  // only because of its name: the caller must verify that the name has that address
};

struct Judgement {
  Verdict verdict = Verdict::refused;
  // For the user: one sentence, which does not tell the address that a name has.
  std::string reason;
  std::string detail;  // for the log, instead
};

// Judges each port by itself. Without an allowed list, a lease may lead to no private network and to none that
// the host is in, nor to an IPv6 address that embeds such an IPv4 address. An allowed list must have an entry for every
// port; one denied port is enough to refuse. Denied networks also match the IPv4 addresses that an IPv6 address embeds.
Judgement judge(const Policy& policy, const Asked& asked);

}  // namespace config::destination
