#include "lease/text.h"

#include <algorithm>
#include <map>

#include <fmt/core.h>

#include "kernel/connmark.h"

namespace lease::text {
namespace {

using Seconds = std::chrono::seconds;
enum class Form { key, whole };

const char* map_of(const Lease& lease) { return lease.client.is_v4() ? "lease4" : "lease6"; }

Element element(const Lease& lease, const char* protocol, int port, int target) {
  return {map_of(lease), fmt::format("{} . {} . {} . {}", lease.client.text(), lease.proxy.text(), protocol, port),
          fmt::format("{} . {}", lease.address.text(), target)};
}

// One command for each map that has something to change.
std::string with_verb(const char* verb, const std::vector<Lease>& leases, Form form, Seconds now) {
  std::map<std::string, std::string> lists;
  for (const auto& lease : leases) {
    for (const auto& one : elements_of(lease)) {
      std::string& list = lists[one.map];
      list += list.empty() ? "" : ",\n  ";
      list += one.key;
      if (form == Form::whole)
        list += fmt::format(" timeout {}s comment \"{}\" : {}", timeout_of(lease, now).count(), lease.id, one.value);
    }
  }
  std::string text;
  for (const auto& [name, list] : lists)
    text += fmt::format("{} element inet {} {} {{\n  {} }}\n", verb, kTable, name, list);
  return text;
}

std::string map_text(const char* name, const char* address) {
  return fmt::format("add map inet {} {} {{ type {}_addr . {}_addr . inet_proto . inet_service : {}_addr . "
                     "inet_service ; flags timeout ; }}\n",
                     kTable, name, address, address, address);
}

std::string translation(const std::string& how) {
  return fmt::format("ct mark & {0:#x} == {0:#x} {1}", connmark::kLease, how);
}

std::vector<Rule> shared(const Way& way) {
  std::vector<Rule> rules;
  for (const auto& address : {way.v4, way.v6}) {
    if (!address) continue;
    const char* const family = address->is_v4() ? "ipv4" : "ipv6";
    const auto snat = fmt::format("snat {} to {}", address->is_v4() ? "ip" : "ip6", address->text());
    rules.push_back({fmt::format("oifname \"{}\" meta nfproto {} {}", way.interface, family, translation(snat)),
                     fmt::format("{} {}", way.interface, address->text())});
  }
  return rules;
}

}  // namespace

firewall::text::Family family_of(const Lease& lease) {
  return lease.client.is_v4() ? firewall::text::Family::v4 : firewall::text::Family::v6;
}

std::vector<Element> elements_of(const Lease& lease) {
  std::vector<Element> all{element(lease, "tcp", lease.ssh_port, lease.destination_ssh_port)};
  for (int i = 0; i < lease.ports(); ++i)
    all.push_back(element(lease, "udp", lease.udp_ports.low + i, lease.destination_udp_ports.low + i));
  return all;
}

Seconds timeout_of(const Lease& lease, Seconds now) {
  if (lease.lives_by_flows()) return kTimeoutWithoutLifetime;
  return std::max(Seconds(1), lease.deadline - now);
}

// A map cannot be asked whether it has a key. So the mark is set before the look-up in the map, and
// removed when the map did not know the packet.
std::vector<Chain> chains(const Ways& ways) {
  Chain pre{"prerouting", "nat prerouting -101", {}};
  pre.rules = {{"fib daddr type != local return", "elsewhere"},
               {"meta l4proto != { tcp, udp } return", "other"},
               {fmt::format("ct mark set ct mark | {:#x}", connmark::kLease), "mark"},
               {"dnat ip to ip saddr . ip daddr . meta l4proto . th dport map @lease4", "lease4"},
               {"dnat ip6 to ip6 saddr . ip6 daddr . meta l4proto . th dport map @lease6", "lease6"},
               {fmt::format("ct mark set ct mark & {:#x}", ~connmark::kLease), "unmark"}};
  Chain post{"postrouting", "nat postrouting 99", {}};
  for (const auto& way : ways) {
    for (auto& rule : shared(way)) post.rules.push_back(std::move(rule));
  }
  post.rules.push_back({translation("masquerade"), "masquerade"});
  return {pre, post};
}

std::string base(const Ways& ways) {
  std::string text =
      fmt::format("add table inet {}\n", kTable) + map_text("lease4", "ipv4") + map_text("lease6", "ipv6");
  text += fmt::format("add chain inet {} prerouting {{ type nat hook prerouting priority -101 ; policy accept ; }}\n",
                      kTable);
  text += fmt::format("add chain inet {} postrouting {{ type nat hook postrouting priority 99 ; policy accept ; }}\n",
                      kTable);
  for (const auto& chain : chains(ways)) {
    text += fmt::format("flush chain inet {} {}\n", kTable, chain.name);
    for (const auto& rule : chain.rules)
      text += fmt::format("add rule inet {} {} {} comment \"{}\"\n", kTable, chain.name, rule.text, rule.comment);
  }
  return text;
}

std::string purge() { return fmt::format("add table inet {0}\ndelete table inet {0}\n", kTable); }

std::string open(const std::vector<Lease>& leases, Seconds now) { return with_verb("add", leases, Form::whole, now); }

// Not all kernels can change a time-out, and a missing element cannot be deleted; all of it is one
// transaction.
std::string renew(const std::vector<Lease>& leases, Seconds now) {
  return open(leases, now) + with_verb("delete", leases, Form::key, now) + open(leases, now);
}

std::string close(const std::vector<Lease>& leases) {
  return open(leases, Seconds(0)) + with_verb("delete", leases, Form::key, Seconds(0));
}

std::string replace(const std::vector<Lease>& leases, Seconds now, const Ways& ways) {
  return base(ways) + fmt::format("flush map inet {0} lease4\nflush map inet {0} lease6\n", kTable) + open(leases, now);
}

}  // namespace lease::text
