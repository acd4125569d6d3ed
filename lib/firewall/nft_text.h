// firewall/nft_text: the same as firewall/text, for the sessions that nftables forwards:
// one table of our own, as nft(8) takes it with -f. Pure text; nothing here
// touches a firewall.
//
//   add element inet sallyport open4 { 198.51.100.10 . 198.51.100.39 . 33001
//      timeout 60s comment "3a9fd819-…" : 203.0.113.10 . 33001 }
//
// Sessions are elements of maps, one look-up each however many there are:
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
// Near is who shares the last two bytes of the address with a client: the sets
// near_… have them. The kernel keeps such a set as a field of bits, 16 kB however
// many there are, and so most packets of strangers, and most flows without a source
// address, never wait for the memory where the elements are. Nothing is taken
// because it is near. Several sessions, and clients, may share one; so it is left
// when a session closes, until reconcile() takes it away.
//
// Whether a packet is for this host at all is not asked: the keys have the proxy's
// address, and asking costs more than the look-up.
//
// iptables has its chains at -100 and 100, so that whichever forwards a session,
// pinned ones stand before open ones.
//
// An element expires by itself unless it is renewed, so that it goes when its
// holder is gone. A key leads to one server alone: where several sessions are
// open for the same packets, the one that opened first has the element, and the
// next takes it over. Accepting in FORWARD is left to firewall/text: no table can
// take back what another drops.
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
  std::string owner;  // session id; any comment, or none, when it is foreign
  auto operator<=>(const Element&) const = default;
  bool same_place(const Element& other) const { return map == other.map && key == other.key; }
  // For people.
  std::string text() const;
};
using Elements = std::vector<Element>;

// Whether nftables forwards it.
bool is_for(const Session& session);

// What there should be for `sessions`, in their present state; sorted. Of those
// that want the same, the first to be opened gets it. Passes over the sessions
// that iptables forwards, here and below.
Elements elements_of(const std::vector<Session>& sessions);

// Our table with exactly what `sessions` should have; whatever it held before is
// replaced in one step.
std::string base(const std::vector<Session>& sessions);
std::string purge();

// The elements of the sets that lead to `elements`: no value, no owner. Sorted.
Elements near(const Elements& elements);

// In one step: takes away, by their keys, and adds, with what is near. Refused, and
// nothing done, when one of those that go is not there, or in the place of one that
// comes there is another, or the table is gone.
std::string change(const Elements& go, const Elements& come);
// The same, with nothing but what is given, be it of maps or sets.
std::string replace(const Elements& go, const Elements& come);
// The elements begin their time anew. As change().
std::string renew(const Elements& elements);
// A map and a rule for the range of `session`, which must keep its ports. Refused
// when they are there.
std::string add_range(const Session& session);

// What `nft -j list table inet sallyport` says; empty text: there is none.
struct Listed {
  firewall::text::Base base = firewall::text::Base::absent;
  std::set<std::string> ranges;  // "33001-33100"
  Elements elements;             // of the maps, sorted
  Elements near;                 // of the sets, sorted
};
// Failure{65} when it is no JSON of that form.
Listed parse(std::string_view json);
// The range that parse() may name; empty when `session` keeps no ports.
std::string range_of(const Session& session);

}  // namespace firewall::nft_text
