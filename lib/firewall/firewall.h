// firewall/firewall: which of the firewall's parts forwards a session, by its record, and functions
// that concern more than one part. firewall/backend.h tells the conditions for callers and the
// failures.
//
// A session that aspera.conf wants in iptables is forwarded by nftables where the chain of its family is full when it
// opens. Its record then says nftables, as if it had been wanted there.
#pragma once

#include <array>
#include <set>
#include <string>
#include <vector>

#include "firewall/backend.h"
#include "session/session.h"

namespace firewall {

// Each session has its rules in one of them.
enum class Part { iptables, ip6tables, nftables };
inline constexpr std::array kParts{Part::iptables, Part::ip6tables, Part::nftables};

Part part_of(const session::Session& session);
Backend& backend(Part part);
inline Backend& backend_of(const session::Session& session) { return backend(part_of(session)); }

// Adds rules in the name of `session`, pinned to a flow that may turn out to be its own. They replace
// such rules of other sessions that the flow had, in any backend.
void offer(const session::Session& session);

// The ids of those `sessions` that should have a rule in `part` and have none.
std::set<std::string> without_rule(Part part, const std::vector<session::Session>& sessions);

}  // namespace firewall
