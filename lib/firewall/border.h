// firewall/border: the proxy is not a router. A table of our own drops what is forwarded between the proxy's
// interfaces and is neither a session's nor a lease's; sallyport(7), "The border".
//
//   table inet sallyport_border {
//     chain forwarded {
//       type filter hook forward priority 10; policy accept;
//       ct mark & 0x08000000 == 0x08000000 accept
//       meta nfproto ipv4 iifname "wan" oifname { "lan", "wan" } drop
//
// It is after the administrator's own rules, which it cannot overrule, and stays while the proxy is stopped. A second
// chain bounds what one client address (IPv6: its /64) has of the kernel's table of flows through pinholes and leases,
// whichever backend forwards it. As a chain of nat it is asked for the first packet of a flow only:
//
//     chain bounded {
//       type nat hook postrouting priority -150; policy accept;
//       ct mark & 0x08000000 != 0x08000000 accept
//       meta nfproto ipv4 update @rate4 { ct original ip saddr limit rate over 100/second burst 200 packets } counter
//       drop meta nfproto ipv4 add @flows4 { ct original ip saddr ct count over 512 } counter drop
//
// What it should be is in /run/sallyport/border, so that asp-reap can put it back.
//
// Needs root; the caller holds a session::spool::FirewallLock. Failure{71}.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace firewall::border {

struct Side {
  std::set<std::string> interfaces;
  // True if nothing was forwarded before we came. Otherwise flows that the host's own NAT rules translate may pass,
  // too.
  bool strict = false;
  bool operator==(const Side&) const = default;
  // True if nothing that `other` keeps from passing may pass.
  bool covers(const Side& other) const;
};

struct Plan {
  Side v4;
  Side v6;
  unsigned flows_per_client = 0;  // 0: no bound
  bool operator==(const Plan&) const = default;
  // True if everything may be forwarded.
  bool is_open() const { return v4.interfaces.empty() && v6.interfaces.empty(); }
};

// Whether the table can name the interface. The kernel lets others exist (lan*), which are left out.
bool can_name(std::string_view interface);

// The plan on record since the last boot. Absent: there is none.
std::optional<Plan> recorded();

// Puts it in force and on record, if it is not already. True: something had to be done.
bool lay(const Plan& plan);

// True if exactly that is in force.
bool is_in_force(const Plan& plan);

// Puts what is on record back in force, if it is not. True: it was not.
bool mend();

// Takes table and record away. False: there was nothing.
bool take_away();

// The table as nft(8) takes it. Pure but for this: an interface that is a bridge is not closed against itself, since
// the kernel may show its own frames to this chain (br_netfilter).
std::string text(const Plan& plan);

}  // namespace firewall::border
