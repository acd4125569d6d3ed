// firewall/nft_text: the counterpart of firewall/text for sessions that nftables forwards:
// one table of our own, as nft(8) takes it with -f. Pure text; nothing here
// touches a firewall.
//
//   add element inet sallyport open4 { 198.51.100.10 . 198.51.100.39 . 33001
//      timeout 60s comment "3a9fd819-…" : 203.0.113.10 . 33001 }
//
// Sessions are elements of maps, with one look-up each however many there are:
//
//   prerouting  -110 ─▶ to_pinned: near a pinned one's client? pinned: mark the flow,
//                       look it up in pinned4 or pinned6 (client, proxy, source
//                       port, destination port), take the mark back
//   prerouting   -90 ─▶ to_open: near another's client? open: the same, in open4 or
//                       open6 (client, proxy, destination port); then kept: for
//                       each range of kept ports, in kept4_LOW_HIGH or
//                       kept6_LOW_HIGH (client, proxy)
//   postrouting   90 ─▶ to_bound: marked flows near the client of one with a source
//                       address. bound: the address, in from_… (the same keys, with
//                       the server after the client)
//   postrouting  110 ─▶ to_masquerade: marked flows only: masquerade
//
// The near_* sets are a pre-filter on the last two bytes of client addresses. A hit
// only means: do the real look-up. The kernel keeps such a set as a field of bits, 16 kB
// however many there are. So most packets of strangers, and most flows without a source
// address, never wait for the memory where the elements are. Several sessions, and
// clients, may share an entry, so it stays when a session closes, until reconcile()
// removes it.
//
// The rules do not ask whether a packet is for this host at all: the keys have the
// proxy's address, and asking costs more than the look-up.
//
// iptables has its chains at -100 and 100, so pinned sessions come before open
// ones, whichever of the two forwards them.
//
// An element expires unless it is renewed, so it goes when its holder is gone. A key
// leads to only one server: where several sessions are open for the same packets, the
// one that opened first has the element, and the next takes it over. firewall/text
// does the accepting in FORWARD: no table can revert what another drops.
#pragma once

#include <chrono>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "firewall/text.h"
#include "session/session.h"

namespace firewall::nft_text {

constexpr char kTable[] = "inet sallyport";
constexpr std::chrono::seconds kTimeout{60};

struct Element {
  std::string map;    // "open4"
  std::string key;    // "198.51.100.10 . 198.51.100.39 . 33001"
  std::string value;  // "203.0.113.10 . 33001"
  std::string owner;  // session id; any comment, or none, when the element is foreign
  auto operator<=>(const Element&) const = default;
  bool same_place(const Element& other) const { return map == other.map && key == other.key; }
  // For messages to people.
  std::string text() const;
};
using Elements = std::vector<Element>;

// True if nftables forwards the session.
bool is_for(const session::Session& session);

// The elements that `sessions` should have in their present state; sorted. If several need the same,
// the first to be opened gets it. Sessions that iptables forwards are ignored, here and below.
Elements elements_of(const std::vector<session::Session>& sessions);

// Our table with exactly what `sessions` should have. It replaces whatever was there before in one
// step.
std::string base(const std::vector<session::Session>& sessions);
std::string purge();

// The elements of the near_* sets for `elements`: no value, no owner. Sorted.
Elements near(const Elements& elements);

// Removes `go`, by their keys, and adds `come`, with their near_* elements, in one step. It is refused
// as a whole when an element to be removed is missing, the place of a new one is taken by another, or
// the table is gone.
std::string change(const Elements& go, const Elements& come);
// The same, for only the given elements, of maps or sets.
std::string replace(const Elements& go, const Elements& come);
// Restarts the elements' time. Refused like change().
std::string renew(const Elements& elements);
// A map and a rule for the range of `session`, which must keep its ports. Refused when they exist.
std::string add_range(const session::Session& session);

// The contents of `nft -j list table inet sallyport`; none for empty text.
struct Listed {
  firewall::text::Base base = firewall::text::Base::absent;
  std::set<std::string> ranges;  // "33001-33100"
  Elements elements;             // of the maps, sorted
  Elements near;                 // of the sets, sorted
};
// Failure{65} when it is not JSON of that form.
Listed parse(std::string_view json);
// The range of `session` as parse() names it; empty when it keeps no ports.
std::string range_of(const session::Session& session);

}  // namespace firewall::nft_text
