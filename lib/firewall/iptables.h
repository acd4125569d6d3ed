// firewall/iptables: the part of firewall/firewall.h that is iptables(8) and ip6tables(8):
// puts firewall/text in force. Only firewall.cc uses it; what is not said here
// is said there.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "firewall/text.h"
#include "firewall/types.h"
#include "session/session.h"

namespace firewall::iptables {

using firewall::text::Family;

void open(const Session& session);
void pin(const Session& session);
void close(const Session& session);

// Takes away whatever pinned rules the flow of `session` has.
void forget(const Session& session);
void offer(const Session& session);  // what it had is forgotten
void settle(const Session& session);
void remove_all_of(const Session& session);

Mended reconcile(Family family, const std::vector<Session>& sessions);
void lay(Family family, const std::vector<Session>& sessions);
// The comments of all rules in our buckets.
std::set<std::string> served(Family family);
firewall::text::Base look_at_base(Family family);
// False: there was nothing.
bool purge(Family family);

bool is_installed(Family family);
// Lays only what accepts marked flows in FORWARD. False: it was there.
bool accept(Family family);

}  // namespace firewall::iptables
