// firewall/firewall: which of the firewall's parts forwards a session, by what its record
// names, and what concerns more than one of them. What the caller has to be and to hold,
// and which failures there are, is said in firewall/backend.h.
#pragma once

#include <array>
#include <set>
#include <string>
#include <vector>

#include "firewall/backend.h"
#include "session/session.h"

namespace firewall {

// Of each, sessions have their rules in one.
enum class Part { iptables, ip6tables, nftables };
inline constexpr std::array kParts{Part::iptables, Part::ip6tables, Part::nftables};

Part part_of(const Session& session);
Backend& backend(Part part);
inline Backend& backend_of(const Session& session) { return backend(part_of(session)); }

// Rules in the name of `session`, pinned to a flow that may turn out to be its
// own, in the place of whichever such rules that flow had, of any backend.
void offer(const Session& session);

// Those of `sessions`, by their ids, that should have a rule in `part` and have none.
std::set<std::string> without_rule(Part part, const std::vector<Session>& sessions);

}  // namespace firewall
