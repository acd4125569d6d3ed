// firewall/text: the suite's rules as iptables-restore(8) --noflush input.
// Pure text; nothing here touches a firewall.
//
//   *nat
//   -A SALLYPORT-SESSIONS -s 198.51.100.10/32 -d 198.51.100.39/32 -p udp -m udp --dport 33001
//      -m comment --comment 3a9fd819-… -j DNAT --to-destination 203.0.113.10:33001
//   COMMIT
//
// Layout (design: only our own chains, one rule per session, and a second one
// for those that have a bind_source_address):
//
//   nat PREROUTING ─▶ SALLYPORT: mark the flow, try SALLYPORT-SESSIONS (the sessions'
//                     rules, DNAT ends the walk), take the mark back
//   nat POSTROUTING ─▶ SALLYPORT-SNAT: marked flows only: the sessions' second rules
//                     (SNAT ends the walk), MASQUERADE
//   filter FORWARD: marked flows only: ACCEPT
//
// The rules do not ask whether a packet is for this host at all: they have the proxy's
// address. Every packet in FORWARD meets one rule and no chain. The first packet of each
// flow is compared with the rules of all sessions, so the chain is for a few of them;
// the others are in nftables (firewall/firewall.h).
//
// The connection mark is connmark::kSuite.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "session/session.h"

namespace firewall::text {

enum class Family { v4, v6 };
Family family_of(const session::Session& session);
// True if iptables of `family` forwards the session.
bool is_for(const session::Session& session, Family family);

// The jumps from the built-in chains to ours, and the rule of FORWARD, by the name
// of the built-in chain: PREROUTING, POSTROUTING, FORWARD.
using Jumps = std::set<std::string, std::less<>>;
const Jumps& all_jumps();
// True if `line`, of `iptables -S`, is our jump from a built-in chain.
bool is_jump(std::string_view line);

// Our chains, all in table nat, with what is in them besides rules of sessions, as `iptables -S` prints it.
struct Chain {
  std::string name;
  std::vector<std::string> rules;
};
const std::vector<Chain>& base_chains();

using Lines = std::vector<std::string>;
// The parts of ours that exist outside our chains, and which chains exist. Missing parts are added, and
// parts that an older release laid are removed.
struct Standing {
  Jumps jumps;
  Lines old_nat;  // "-A PREROUTING …": other rules with our comment, and repeated ones
  Lines old_filter;
  std::vector<std::string> chains_nat;  // SALLYPORT…, except the current ones
  std::vector<std::string> chains_filter;
  // True if an older release laid a part.
  bool outdated() const;
};
// Each table is given as the lines of `iptables -S`, here and below.
Standing standing(const Lines& nat, const Lines& filter);

// How much of our base chains and jumps is in the tables nat and filter.
enum class Base {
  present,  // all of it, as it should be
  absent,   // nothing of it: the first session lays it
  damaged,  // somebody removed or changed a part, or an older release laid it
};
Base judge_base(const Lines& nat, const Lines& filter);
// Judges only the part in table filter. It may be there for sessions that nftables forwards
// (firewall/nft_text.h); judge_base then returns absent.
Base judge_accepting(const Lines& filter);
// Lays only that part.
std::string accepting(const Standing& found);

// Our chains with exactly the rules of `sessions` in them, and the missing jumps; removes old parts.
// It replaces whatever our chains held before in one step. Sessions of the other family, and those
// that nftables forwards, are ignored, here and below.
std::string base(Family family, const std::vector<session::Session>& sessions, const Standing& found);
// Removes our chains, and our jumps.
std::string purge(const Standing& found);

// True if `line`, of `iptables -S`, is a rule of a session.
bool is_session_rule(std::string_view line);

// Adds the rules of `sessions`. It begins with checks (-C) that all jumps are there: a firewall that lost
// them refuses the whole text, and nothing is changed.
std::string open(Family family, const std::vector<session::Session>& sessions);

// Narrows the rules of each session to its flow's source port (and, when ports are kept, destination
// port), in one step. Sessions that have no flow, or filter no source port, are ignored.
std::string pin(Family family, const std::vector<session::Session>& sessions);
// Removes the rules of each session, pinned or not.
std::string close(Family family, const std::vector<session::Session>& sessions);

// The current rules of `session` (pinned when the session is), one or two: "SALLYPORT-SESSIONS -s
// 198.51.100.10/32 …", without their -A.
std::vector<std::string> rules_of(const session::Session& session);

}  // namespace firewall::text
