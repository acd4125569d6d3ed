// firewall/firewall: puts the rules of sessions in force, each by the firewall that its
// record names: iptables-restore(8) and ip6tables-restore(8), or nftables. Needs
// root. The caller holds a session::spool::FirewallLock. Failure{71} when the programs are
// missing or refuse.
//
// Some of it depends on the other sessions that live, which are read from the
// spool: there they must be as they are in force.
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "firewall/text.h"
#include "firewall/types.h"
#include "session/session.h"

namespace firewall {

// Adds the rules of `session`. Lays the base first when it is missing or
// damaged, and then puts back the rules of all others.
void open(const Session& session);

// Narrows the rules of `session`, which has a flow now.
void pin(const Session& session);

// Removes the rules of `session`; it is no error when there are none.
void close(const Session& session);

// Those of nftables expire a minute after they were renewed last. How often the
// holder has to do it; absent where nothing expires.
std::optional<std::chrono::seconds> renewal(const Session& session);
void renew(const Session& session);

// Rules in the name of `session`, pinned to a flow that may turn out to be its
// own, in the place of whichever such rules that flow had, of either firewall.
void offer(const Session& session);
// Of all rules in the name of `session`, leaves just those it should have.
void settle(const Session& session);
// And leaves none.
void remove_all_of(const Session& session);

// The parts of the firewall: of each, sessions have their rules in one.
enum class Part { iptables, ip6tables, nftables };
inline constexpr std::array kParts{Part::iptables, Part::ip6tables, Part::nftables};
Part part_of(const Session& session);
// "IPv4", "IPv6", "nftables".
const char* name_of(Part part);
// Whether its program is there at all.
bool is_installed(Part part);

// Compares what is in force with what `sessions`, all that live, should have,
// and mends the difference. Lays the base only for a part with sessions.
Mended reconcile(Part part, const std::vector<Session>& sessions);

// Puts the base in force, and the rules of `sessions`, all that live; whatever
// our chains held before is replaced.
void lay(Part part, const std::vector<Session>& sessions);

// Those of `sessions`, by their ids, that should have a rule there and have none.
std::set<std::string> without_rule(Part part, const std::vector<Session>& sessions);

// Whether the chains and jumps that lead to the sessions' rules are in force.
firewall::text::Base look_at_base(Part part);

// Removes everything of the suite's. False: there was nothing.
bool purge(Part part);

}  // namespace firewall
