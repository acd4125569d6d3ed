// lease/text: the leases' mappings as nft(8) takes them with -f. Pure text;
// nothing here touches a firewall.
//
//   table inet sallyport_lease
//     map lease4, lease6: who ─▶ whom . port, one element for each port of a lease:
//       203.0.113.20 . 203.0.113.1 . udp . 5000 timeout 180s comment "3a9fd819-…" : 198.51.100.50 . 33001
//     prerouting   mark the flow, translate it by the map, take the mark back
//     postrouting  flows with the mark: masquerade; in a cluster, to the addresses that
//                  its nodes share, so that a flow is the same on each of them
//
// Both chains come before those of iptables(8): a packet that a lease takes is no
// session's. The elements expire by themselves if no process ends them.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "firewall/text.h"
#include "lease/lease.h"

namespace lease::text {

constexpr char kTable[] = "sallyport_lease";

// How long an element stays without renewal by a process, if the lease has no lifetime.
constexpr std::chrono::seconds kTimeoutWithoutLifetime{600};

firewall::text::Family family_of(const Lease& lease);

struct Element {
  std::string map;    // lease4
  std::string key;    // 203.0.113.20 . 203.0.113.1 . tcp . 5000
  std::string value;  // 198.51.100.50 . 33001
};
// The element for TCP first, then one for each UDP port.
std::vector<Element> elements_of(const Lease& lease);

// The time left for a lease at `now` (boot_clock::seconds): at least a second.
std::chrono::seconds timeout_of(const Lease& lease, std::chrono::seconds now);

// The address of flows that leave by an interface; without one, the interface's own.
struct Way {
  std::string interface;  // config::value::is_interface
  std::optional<IpAddress> v4;
  std::optional<IpAddress> v6;
};
using Ways = std::vector<Way>;

// The chains of the base. Each rule has a comment, by which it is recognized.
struct Rule {
  std::string text;
  std::string comment;
};
struct Chain {
  std::string name;
  std::string hook;  // "nat prerouting -101"
  std::vector<Rule> rules;
};
std::vector<Chain> chains(const Ways& ways);

// Table, maps and chains as they should be; elements stay.
std::string base(const Ways& ways = {});
// Removes the table, including its elements; it is not an error when there is none.
std::string purge();

// Adds the elements of `leases`; refused as a whole when there is an element of that key that leads
// elsewhere.
std::string open(const std::vector<Lease>& leases, std::chrono::seconds now);
// Gives their elements the current time-out, and restores missing ones.
std::string renew(const std::vector<Lease>& leases, std::chrono::seconds now);
// It is not an error when some are gone.
std::string close(const std::vector<Lease>& leases);
// Makes base and elements those of `leases`, no more and no less.
std::string replace(const std::vector<Lease>& leases, std::chrono::seconds now, const Ways& ways = {});

}  // namespace lease::text
