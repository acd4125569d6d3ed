// judge: verdicts on what the system reports of itself. Pure: text in, verdict out.
#pragma once

#include <cstdint>
#include <ctime>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "config/config.h"
#include "packet_filter.h"
#include "verdict.h"

namespace doctor {

// Behind the cure of a setting of the kernel.
constexpr char kForNextBoot[] = "for the next boot, /etc/sysctl.d/sallyport.conf";

// `version` is the output of iptables --version ("iptables v1.8.9 (nf_tables)"); `others` that of
// -save by the other backend, and `others_program` what that is called without -save.
Verdict judge_iptables(std::string_view version, std::string_view others, const std::string& others_program);
// nf_conntrack_count and nf_conntrack_max.
Verdict judge_conntrack(std::uint64_t count, std::uint64_t max);
// <max_flows_per_client>, in force, against nf_conntrack_max.
Verdict judge_client_flows(const config::Config& config, std::uint64_t max);
// Settings of the kernel that decide whose packets it believes. `setting` has their values, by name below
// /proc/sys/net; empty: there is no such setting. `interfaces` are those that packets of others come through.
using Setting = std::function<std::string(const std::string& name)>;
// Whether it looks at source addresses at all.
Verdict judge_sources(const std::vector<std::string>& interfaces, const Setting& setting);
// Whether somebody on the network can tell the host another way for its packets, or is told one.
Verdict judge_redirects(const std::vector<std::string>& interfaces, const Setting& setting);
// /etc/hosts: 127.0.0.1 must be localhost (guide, "Configuring the kernel").
Verdict judge_hosts(std::string_view text);
// Whether this host's own name is known without name servers, by /etc/hosts or a module that /etc/nsswitch.conf has
// for that. sudo, for one, asks for it at each start. Absent: it is.
std::optional<Verdict> judge_own_name(std::string_view hosts, std::string_view nsswitch, const std::string& name);
// A file system, as statvfs(3) counts its blocks and inodes; 0 in all where they are not counted. Absent: less than 95
// % are used.
struct Room {
  std::uint64_t all;
  std::uint64_t free;
};
std::optional<Verdict> judge_room(const std::string& directory, Room blocks, Room inodes, const std::string& cure);
// /etc/cron.d/sallyport, which must run `reaper` every minute.
Verdict judge_cron(std::string_view text, const std::string& reaper);
// `sudo -l -U user`: whatever else than `helpers`, each without arguments, the user may run as root.
// One text a grant. The rights themselves are tried, not read.
std::vector<std::string> other_grants(std::string_view text, const std::vector<std::string>& helpers);
// The same in one line; empty when there is nothing else.
std::string other_rights(std::string_view text, const std::vector<std::string>& helpers);
// `now` is in seconds since 1970; `synchronised` is the kernel's view of its clock.
Verdict judge_clock(std::int64_t now, bool synchronised);
// /sys/fs/selinux/enforce; empty when there is no such file.
Verdict judge_selinux(std::string_view enforce);
// What a firewall does to the packets of sessions.
Verdict judge_fate(const packet_filter::Fate& fate, const std::string& packets, const std::string& cure);

// `sshd -T -C user=...`: the faults for one user, one text each, besides those that asp-check.sh reports (security.h).
struct Complaints {
  std::vector<std::string> failures;
  std::vector<std::string> warnings;
};
Complaints judge_sshd(std::string_view settings, const std::string& shell);
// Why sshd would not let in somebody with these groups, by a key or by what else AuthenticationMethods asks for. One
// text each. A pattern with a host (bear@192.0.2.1) is taken to be for where the user comes from.
std::vector<std::string> judge_admission(std::string_view settings, const std::string& user,
                                         const std::vector<std::string>& groups);
// The same for a user of a transfer node: what leads past the confinement of aspshell's command. One text each.
std::vector<std::string> judge_detours(std::string_view settings);
// Whether sshd takes the keys of the user from ~/.ssh.
bool has_keys_at_home(std::string_view settings);
// `sshd -T`: whether few clients at once are too many, and whether one address alone, which does not log in, keeps
// others from logging in. One text each.
std::vector<std::string> judge_startups(std::string_view settings);

// --- the forward proxy ---

// Leased ports that the kernel may use for the host's own connections: net.ipv4.ip_local_port_range
// ("32768\t60999"), except ip_local_reserved_ports ("5000-10000,11000").
Verdict judge_local_ports(const PortRange& leased, std::string_view local, std::string_view reserved);
// The allowed destinations of leases, and which of the `near` networks are parts of one of them: the
// networks that the host is in, except by a default route.
Verdict judge_destinations(const config::Proxy& proxy, const std::vector<Network>& near);
// The validity of a certificate, in seconds since 1970.
struct Validity {
  std::time_t from;
  std::time_t until;
};
Verdict judge_validity(const Validity& validity, std::time_t now);
// The network of an interface's address and netmask.
Network network_of(const IpAddress& address, const IpAddress& mask);

// The ports of `sshd -T`.
std::vector<Port> ports_of(std::string_view settings);
// The port where users reach sshd, unless it is configured otherwise.
constexpr Port kUsualSshPort = 33001;
// The ports where they do, by `sshd -T`: each of its ports, but 22 only if it has no other, since that
// may be for the administrator alone. kUsualSshPort if it names none.
std::set<Port> ssh_ports(std::string_view settings);

}  // namespace doctor
