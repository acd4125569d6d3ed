// Checks of the firewall: our rules, and what those of others do to our packets.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include <fmt/core.h>

#include "base/failure.h"
#include "border_plan.h"
#include "doctor.h"
#include "firewall/border.h"
#include "firewall/firewall.h"
#include "judge.h"
#include "kernel.h"
#include "kernel/connmark.h"
#include "kernel/conntrack.h"
#include "session/spool.h"
#include "ssh/upstream_command.h"

namespace doctor {
namespace {

using firewall::Part;
using firewall::text::Base;
using firewall::text::Family;
using packet_filter::Chain;
using packet_filter::Packet;

// What is to pass, as a rule of iptables and as one of nft has it.
struct Match {
  std::string iptables;
  std::string nft;
  std::string ufw;        // "33001/tcp"; empty: it has no such rule, as below
  std::string firewalld;  // "--add-port=33001/tcp"
};
const Match kOurs{"-m connmark --mark 0x08000000/0x08000000", "ct mark and 0x08000000 == 0x08000000", {}, {}};

Match arriving(const char* protocol, const std::vector<PortRange>& ranges) {
  std::string iptables;
  std::string nft;
  std::string firewalld;
  for (const auto& range : ranges) {
    const bool one = range.low == range.high;
    iptables +=
        (iptables.empty() ? "" : ",") + (one ? std::to_string(range.low) : fmt::format("{}:{}", range.low, range.high));
    const std::string ports = one ? std::to_string(range.low) : fmt::format("{}-{}", range.low, range.high);
    nft += (nft.empty() ? "" : ", ") + ports;
    firewalld += fmt::format(" --add-port={}/{}", ports, protocol);
  }
  return {fmt::format("-p {} -m multiport --dports {}", protocol, iptables),
          fmt::format("{} dport {{ {} }}", protocol, nft), fmt::format("{}/{}", iptables, protocol), firewalld};
}

std::vector<PortRange> ranges_of(const std::set<Port>& ports) {
  std::vector<PortRange> ranges;
  for (const Port port : ports) ranges.push_back({port, port});
  return ranges;
}

std::vector<Family> families(const Patient& patient) {
  return patient.uses_ipv6 ? std::vector{Family::v4, Family::v6} : std::vector{Family::v4};
}
const char* name_of(Family family) { return family == Family::v4 ? "IPv4" : "IPv6"; }
std::string program(Family family, const char* suffix) {
  return fmt::format("/usr/sbin/{}{}", family == Family::v4 ? "iptables" : "ip6tables", suffix);
}

// Rules of iptables-legacy, which the kernel walks besides those of iptables-nft. Without any, the
// program is not run, since that loads its modules.
std::string legacy_rules(Family family) {
  if (read_file(fmt::format("/proc/net/{}_tables_names", family == Family::v4 ? "ip" : "ip6")).empty()) return "";
  return ask_once({fmt::format("/usr/sbin/{}-legacy-save", family == Family::v4 ? "iptables" : "ip6tables")}).out;
}

// A rule before the one that drops; in the words of whoever manages that table.
std::string cure_of(const packet_filter::Fate& fate, Family family, const Match& match) {
  if (!match.ufw.empty() && fate.manager == "ufw") return "ufw allow " + match.ufw;
  if (!match.firewalld.empty() && fate.manager == "firewalld")
    return fmt::format("firewall-cmd --permanent{} && firewall-cmd --reload", match.firewalld);
  constexpr std::string_view kLegacy = "legacy ";
  const bool legacy = fate.table.starts_with(kLegacy);
  const auto space = legacy ? fate.table.npos : fate.table.find(' ');
  if (space != fate.table.npos)
    return fmt::format("{} {} accept",
                       upstream::shell_command({"nft", "insert", "rule", fate.table.substr(0, space),
                                                fate.table.substr(space + 1), fate.chain}),
                       match.nft);
  const std::string table = legacy ? fate.table.substr(kLegacy.size()) : fate.table;
  return fmt::format("{} {} -j ACCEPT",
                     upstream::shell_command({program(family, legacy ? "-legacy" : ""), "-t", table, "-I", fate.chain}),
                     match.iptables);
}

bool is_nft(Family family) {
  return ask_once({program(family, ""), "--version"}).out.find("nf_tables") != std::string::npos;
}

Verdicts usable(Family family) {
  const auto version = ask_once({program(family, ""), "--version"});
  const std::string install = "apt-get install iptables  # dnf install iptables-nft";
  if (!version.well()) return {fail(version.first_complaint(), install)};
  for (const char* table : {"nat", "filter"}) {
    const auto listed = ask_once({program(family, ""), "--wait", "5", "-t", table, "-S"});
    if (!listed.well())
      return {fail(fmt::format("{} -t {} -S: {}", program(family, ""), table, listed.first_complaint()),
                   "modprobe -a iptable_nat nf_nat  # is this a container without CAP_NET_ADMIN?")};
  }
  const auto restore = ask_once({program(family, "-restore"), "--version"});
  if (!restore.well()) return {fail(restore.first_complaint(), install)};
  const std::string other = program(family, is_nft(family) ? "-legacy" : "-nft");
  return {judge_iptables(version.out, is_nft(family) ? legacy_rules(family) : ask_once({other + "-save"}).out, other)};
}

bool wants(const Patient& patient, config::Forwarding forwarding) {
  if (!patient.rproxy || patient.rproxy->rules.empty()) return forwarding == config::Forwarding::iptables;
  const auto& rules = patient.rproxy->rules;
  return std::any_of(rules.begin(), rules.end(),
                     [&](const config::Rule& rule) { return rule.forwarding == forwarding; });
}

// It is a failure only if somebody needs it.
Verdicts usable_for(Family family, bool wanted) {
  auto found = usable(family);
  for (auto& verdict : found) {
    if (verdict.grade == Grade::fail && !wanted) verdict.grade = Grade::warn;
  }
  return found;
}

Verdicts iptables(const Patient& patient) {
  return usable_for(Family::v4, wants(patient, config::Forwarding::iptables));
}

Verdicts ip6tables(const Patient& patient) {
  if (!asperaproxy::has_ipv6()) {
    if (!patient.uses_ipv6) return {ok("the kernel has no IPv6; no rule of aspera.conf needs it")};
    return {fail("the kernel has no IPv6, but aspera.conf has rules for it",
                 "# boot without ipv6.disable=1, or take those rules out")};
  }
  return usable_for(Family::v6, patient.uses_ipv6 && wants(patient, config::Forwarding::iptables));
}

Verdicts netlink(const Patient&) {
  const conntrack::Table table;
  const auto flows = table.list(AF_INET, connmark::kSuite);
  return {ok(fmt::format("flows can be listed; {} are of sessions", flows.size()))};
}

Verdicts nftables(const Patient& patient) {
  const bool wanted = wants(patient, config::Forwarding::nftables);
  const unsigned most = patient.rproxy ? patient.rproxy->iptables_sessions : config::Rproxy().iptables_sessions;
  const auto unusable = [&](const std::string& why) -> Verdict {
    const std::string cure = "apt-get install nftables; modprobe nf_tables  # dnf install nftables";
    if (wanted) return fail(why, cure);
    return warn(
        fmt::format("{}: more than {} sessions stay in the chain of iptables, which slows down new flows", why, most),
        cure);
  };
  if (!firewall::backend(Part::nftables).is_installed()) return {unusable("libnftables cannot be loaded")};
  try {
    firewall::backend(Part::nftables).inspect_base();
  } catch (const tool::Failure& failure) {
    return {unusable(failure.what())};
  }
  if (!wanted) return {ok(fmt::format("usable, for sessions beyond the {} of iptables", most))};
  if (!firewall::backend(Part::iptables).is_installed()) {
    return {warn("usable; without iptables, the administrator has to let its packets pass FORWARD",
                 "nft insert rule inet filter forward " + kOurs.nft + " accept  # in the table that forwards")};
  }
  return {ok("usable")};
}

// Missing rules are an error only while sessions live.
Verdict judge_base(const std::string& name, Base base, bool stopped, std::size_t living) {
  const Steps cure{{"asperaproxy", "reload"}};
  if (stopped) {
    return base == Base::absent ? ok(fmt::format("{}: none, the proxy is stopped", name))
                                : fail(fmt::format("{}: there are rules of a stopped proxy", name), "asperaproxy stop");
  }
  switch (base) {
    case Base::present: return ok(fmt::format("{}: present", name));
    case Base::damaged:
      return fail(fmt::format("{}: somebody has removed or changed some of the suite's rules", name), cure);
    case Base::absent: break;
  }
  if (living > 0)
    return fail(fmt::format("{}: all rules of the suite are gone, but {} sessions live", name, living), cure);
  return ok(fmt::format("{}: none yet, the first session makes them", name));
}

Verdicts rules(const Patient& patient) {
  Verdicts found;
  const auto living = session::spool::living();
  for (const auto part : firewall::kParts) {
    auto& backend = firewall::backend(part);
    const auto count =
        static_cast<std::size_t>(std::count_if(living.begin(), living.end(), [&](const session::Session& session) {
          return firewall::part_of(session) == part;
        }));
    // Unused firewalls are not reported; the usual one always is.
    if (part == Part::ip6tables && (!patient.uses_ipv6 || !asperaproxy::has_ipv6() ||
                                    (count == 0 && !wants(patient, config::Forwarding::iptables))))
      continue;
    if (part == Part::iptables && count == 0 && !wants(patient, config::Forwarding::iptables)) continue;
    if (part == Part::nftables && count == 0 && !wants(patient, config::Forwarding::nftables)) continue;
    found.push_back(judge_base(backend.name(), backend.inspect_base(), session::spool::stopped(), count));
    if (found.back().grade != Grade::ok || session::spool::stopped() || count == 0) continue;
    if (const auto without = firewall::without_rule(part, living); !without.empty()) {
      found.back() = fail(fmt::format("{}: {} living sessions have no rule", backend.name(), without.size()),
                          Steps{{"asperaproxy", "reload"}}, "asp-reap does so every minute");
    }
  }
  return found;
}

// The firewall texts of a family; read once, since several conditions walk them.
struct Walls {
  bool nft = false;   // which backend iptables has
  bool base = false;  // our base is in force
  std::string saved;
  std::string legacy;
  std::string foreign;  // empty where nft cannot be asked
};

const Walls& walls_of(Family family) {
  static std::map<Family, Walls> known;
  if (const auto found = known.find(family); found != known.end()) return found->second;
  const auto saved = ask_once({program(family, "-save")});
  if (!saved.well()) throw tool::Failure(tool::os, saved.first_complaint());
  Walls walls;
  walls.nft = is_nft(family);
  walls.base =
      firewall::backend(family == Family::v4 ? Part::iptables : Part::ip6tables).inspect_base() == Base::present;
  walls.saved = saved.out;
  if (walls.nft) walls.legacy = legacy_rules(family);
  if (const auto foreign = ask_once({"/usr/sbin/nft", "-j", "list", "ruleset"}); foreign.well())
    walls.foreign = foreign.out;
  return known[family] = walls;
}

// Every chain that could drop `packet`. A base of ours that is missing now is laid at the top of FORWARD when it is
// needed, so FORWARD is left out then.
std::vector<Chain> chains_for(Family family, const Packet& packet) {
  const Walls& walls = walls_of(family);
  auto chains = packet_filter::read_iptables(walls.saved, packet);
  for (auto& chain : chains) {
    if (!walls.base && chain.table == "filter" && chain.hook == "forward") chain.hook.clear();
  }
  for (auto& chain : packet_filter::read_iptables(walls.legacy, packet)) {
    chain.table = "legacy " + chain.table;
    chains.push_back(std::move(chain));
  }
  if (walls.foreign.empty()) return chains;
  for (auto& chain : packet_filter::read_nft(walls.foreign, packet, walls.nft)) chains.push_back(std::move(chain));
  return chains;
}

// The UDP ports at which sessions arrive, as far as rules can tell them apart.
std::vector<PortRange> udp_ranges(const config::Rproxy& rproxy) {
  std::set<std::pair<long, long>> ranges;
  for (const auto& rule : rproxy.rules) {
    const bool one = rule.proxy_port != 0 && rule.udp_port_reuse;
    if (one) ranges.insert({rule.proxy_port, rule.proxy_port});
    else ranges.insert({rule.udp_port_range.low, rule.udp_port_range.high});
  }
  std::vector<PortRange> found;
  for (const auto& [low, high] : ranges) found.push_back({static_cast<Port>(low), static_cast<Port>(high)});
  return found;
}

// Of each range, its ends.
std::set<Port> udp_ports(const config::Rproxy& rproxy) {
  std::set<Port> ports;
  for (const auto& range : udp_ranges(rproxy)) ports.insert({range.low, range.high});
  return ports;
}

// The UDP ports to which they are forwarded, after the DNAT.
std::set<Port> inner_ports(const config::Rproxy& rproxy) {
  std::set<Port> ports;
  for (const auto& rule : rproxy.rules) {
    if (rule.proxy_port == 0 || !rule.udp_port_reuse) ports.insert({rule.udp_port_range.low, rule.udp_port_range.high});
    else ports.insert(rule.udp_port.value_or(rule.proxy_port));
  }
  return ports;
}

std::string joined(const std::set<Port>& ports) {
  std::string text;
  for (const Port port : ports) text += (text.empty() ? "" : ", ") + std::to_string(port);
  return text;
}

Verdict worst_of(Family family, const std::set<Port>& ports, Packet packet, std::initializer_list<const char*> hooks,
                 const std::string& packets, const Match& match) {
  packet_filter::Fate worst;
  packet.v4 = family == Family::v4;
  for (const Port port : ports) {
    packet.port = port;
    const auto chains = chains_for(family, packet);
    for (const char* hook : hooks) {
      const auto fate = packet_filter::at_hook(chains, hook);
      if (fate.dropped > worst.dropped) worst = fate;
    }
  }
  return judge_fate(worst, fmt::format("{} packets {}", name_of(family), packets), cure_of(worst, family, match));
}

Verdicts forward(const Patient& patient) {
  if (!patient.rproxy)
    return {warn("not looked at, since aspera.conf is wrong", "asuserdata -v  # says what is wrong with it")};
  Verdicts found;
  const auto ports = inner_ports(*patient.rproxy);
  if (ports.empty()) return {};
  for (const auto family : families(patient)) {
    found.push_back(worst_of(family, ports, {"udp", 0, true, true}, {"forward"},
                             fmt::format("of sessions on their way to UDP {}", joined(ports)), kOurs));
  }
  return found;
}

// Packets are translated before INPUT, so that chain never sees them.
Verdicts udp_ports_open(const Patient& patient) {
  if (!patient.rproxy)
    return {warn("not looked at, since aspera.conf is wrong", "asuserdata -v  # says what is wrong with it")};
  Verdicts found;
  const auto ports = udp_ports(*patient.rproxy);
  if (ports.empty()) return {};
  for (const auto family : families(patient)) {
    found.push_back(worst_of(family, ports, {"udp", 0, true, false}, {"prerouting"},
                             fmt::format("that arrive at UDP {}", joined(ports)),
                             arriving("udp", udp_ranges(*patient.rproxy))));
  }
  return found;
}

Verdicts tcp_ports_open(const Patient& patient) {
  const auto ports = ssh_ports(patient.sshd_settings);
  Verdicts found;
  for (const auto family : families(patient)) {
    found.push_back(worst_of(family, ports, {"tcp", 0, true, false}, {"prerouting", "input"},
                             fmt::format("that arrive at TCP {}", joined(ports)), arriving("tcp", ranges_of(ports))));
  }
  return found;
}

// Packets of the forward proxy's clients: to the node API, and to leased ports, which are translated
// before INPUT.
Verdicts lease_packets(const Patient& patient) {
  if (!patient.proxy || !patient.proxy->enabled) return {};
  std::set<Port> api;
  for (const auto& listener : patient.node->listeners) api.insert(listener.port);
  const std::set<Port> leased{patient.proxy->port_range_low, patient.proxy->port_range_high};
  const PortRange lease_range{patient.proxy->port_range_low, patient.proxy->port_range_high};
  Verdicts found;
  found.push_back(worst_of(Family::v4, api, {"tcp", 0, true, false}, {"prerouting", "input"},
                           fmt::format("to the node API, TCP {},", joined(api)), arriving("tcp", ranges_of(api))));
  for (const char* protocol : {"tcp", "udp"}) {
    const std::string name = protocol == std::string_view("tcp") ? "TCP" : "UDP";
    found.push_back(worst_of(Family::v4, leased, {protocol, 0, true, false}, {"prerouting"},
                             fmt::format("of leases that arrive at {} {}", name, joined(leased)),
                             arriving(protocol, {lease_range})));
  }
  found.push_back(worst_of(Family::v4, {22, 33001}, {"tcp", 0, true, true}, {"forward"},
                           "of leases on their way to TCP 22, 33001", kOurs));
  found.push_back(
      worst_of(Family::v4, {33001}, {"udp", 0, true, true}, {"forward"}, "of leases on their way to UDP 33001", kOurs));
  return found;
}

std::string counted(const std::vector<std::string>& flows) {
  return fmt::format("{} flows that are forwarded now, such as {}", flows.size(), flows.front());
}

// What is forwarded between the proxy's networks, besides sessions and leases.
Verdicts border(const Patient& patient) {
  if (!patient.config)
    return {warn("not looked at, since aspera.conf is wrong", "asuserdata -v  # says what is wrong with it")};
  if (!asperaproxy::border_plan::is_used(*patient.config)) return {};
  std::vector<std::string> left;
  const auto wanted = asperaproxy::border_plan::plan(*patient.config, left, asperaproxy::border_plan::Moment::later);
  const std::string where = asperaproxy::border_plan::shown(wanted);
  const auto recorded = firewall::border::recorded();
  const bool closed = firewall::backend(Part::nftables).is_installed() && recorded && !recorded->is_open() &&
                      firewall::border::is_in_force(*recorded);
  const auto cut = closed ? std::vector<std::string>{} : asperaproxy::border_plan::cut_by(wanted);
  const std::string would = cut.empty() ? "" : fmt::format("; it would cut {}", counted(cut));
  if (!patient.config->border)
    return {warn(fmt::format("off, so more than sessions may be forwarded, {}{}", where, would),
                 "asconfigurator -x 'set_server_data;border,AS_NULL'; asperaproxy reload")};
  if (!firewall::backend(Part::nftables).is_installed())
    return {fail("libnftables cannot be loaded, so everything may be forwarded, " + where,
                 "apt-get install nftables; asperaproxy reload  # dnf install nftables")};
  if (!closed)
    return {fail(fmt::format("not in force, so everything may be forwarded, {}{}", where, would),
                 Steps{{"asperaproxy", "reload"}})};
  Verdicts found;
  // Features that were turned on since it was closed change nothing.
  if (!recorded->v4.covers(wanted.v4) || !recorded->v6.covers(wanted.v6))
    found.push_back(warn(fmt::format("closed, but aspera.conf or the routes have changed since, {}", where),
                         Steps{{"asperaproxy", "reload"}}));
  else
    found.push_back(
        ok(fmt::format("nothing but sessions and leases passes, {}", asperaproxy::border_plan::shown(*recorded))));
  for (const auto& line : left) found.push_back(warn(line, "asperaproxy reload  # once it has"));
  return found;
}

// How many flows one client may have.
Verdicts client_flows(const Patient& patient) {
  if (!patient.config || !asperaproxy::border_plan::is_used(*patient.config) ||
      !firewall::backend(Part::nftables).is_installed())
    return {};  // as border says
  const auto recorded = firewall::border::recorded();
  const unsigned bound = patient.config->max_flows_per_client;
  if (bound != 0 && (!recorded || recorded->flows_per_client != bound || !firewall::border::is_in_force(*recorded)))
    return {warn(fmt::format("the limit of {} is not in force, so one client may fill the kernel's table", bound),
                 Steps{{"asperaproxy", "reload"}})};
  const auto max = read_file("/proc/sys/net/netfilter/nf_conntrack_max");
  return {judge_client_flows(*patient.config, std::strtoull(max.c_str(), nullptr, 10))};
}

}  // namespace

const std::vector<Condition>& firewall_conditions() {
  static const std::vector<Condition> all{{"iptables", iptables},
                                          {"ip6tables", ip6tables},
                                          {"nftables", nftables},
                                          {"netlink", netlink},
                                          {"rules", rules},
                                          {"forward", forward},
                                          {"udp_in", udp_ports_open},
                                          {"tcp_in", tcp_ports_open},
                                          {"lease_packets", lease_packets},
                                          {"border", border},
                                          {"client_flows", client_flows}};
  return all;
}

}  // namespace doctor
