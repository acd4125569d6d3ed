// judge: verdicts on what the system says of itself. Pure: text in, verdict out.
#pragma once

#include <cstdint>
#include <ctime>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "config/config.h"
#include "packet_filter.h"
#include "verdict.h"

namespace doctor {

// What iptables --version says ("iptables v1.8.9 (nf_tables)"), and what the -save
// of its other backend does.
Verdict judge_iptables(std::string_view version, std::string_view others);
// nf_conntrack_count and nf_conntrack_max.
Verdict judge_conntrack(std::uint64_t count, std::uint64_t max);
// /etc/hosts: 127.0.0.1 must be localhost (guide, "Configuring the kernel").
Verdict judge_hosts(std::string_view text);
// /etc/cron.d/sallyport, which is to run `reaper` each minute.
Verdict judge_cron(std::string_view text, const std::string& reaper);
// `sudo -l -U user`: what else than `helpers`, each without arguments, root grants
// them. Empty when it is that alone; the rights themselves are tried, not read.
std::string other_rights(std::string_view text, const std::vector<std::string>& helpers);
// Seconds since 1970, and whether the kernel's clock is synchronised.
Verdict judge_clock(std::int64_t now, bool synchronised);
// /sys/fs/selinux/enforce; empty when there is no such file.
Verdict judge_selinux(std::string_view enforce);
// What a firewall does to the packets of sessions.
Verdict judge_fate(const packet_filter::Fate& fate, const std::string& packets, const std::string& cure);

// `sshd -T -C user=...`: what is wrong for one user, one text each.
struct Complaints {
  std::vector<std::string> failures;
  std::vector<std::string> warnings;
};
Complaints judge_sshd(std::string_view settings, const std::string& shell);
// --- the forward proxy ---

// Leased ports that the kernel may take for the host's own connections:
// net.ipv4.ip_local_port_range ("32768\t60999"), but for ip_local_reserved_ports
// ("5000-10000,11000").
Verdict judge_local_ports(const PortRange& leased, std::string_view local, std::string_view reserved);
// Where leases may lead, and `near` networks among that: those that the host is in,
// but for the way out.
Verdict judge_destinations(const config::Proxy& proxy, const std::vector<Network>& near);
// When a certificate is valid; seconds since 1970.
struct Validity {
  std::time_t from;
  std::time_t until;
};
Verdict judge_validity(const Validity& validity, std::time_t now);
// /proc/net/route and ipv6_route: interfaces with a default route.
std::set<std::string> default_interfaces(const std::string& v4, const std::string& v6);
// The network that an interface's address and netmask are of.
Network network_of(const IpAddress& address, const IpAddress& mask);

// The ports of `sshd -T`.
std::vector<Port> ports_of(std::string_view settings);
// Where users reach sshd, unless it is told otherwise.
constexpr Port kUsualSshPort = 33001;
// Where they do, by `sshd -T`: on each of its ports, but on 22 only if it has no other,
// for that one may be for the administrator alone. kUsualSshPort if it names none.
std::set<Port> ssh_ports(std::string_view settings);

}  // namespace doctor
