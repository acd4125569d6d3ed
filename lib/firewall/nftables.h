// firewall/nftables: the part of firewall/firewall.h that is nftables: puts nft_text in force.
// Only firewall.cc uses it; what is not said here is said there.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "firewall/text.h"
#include "firewall/types.h"
#include "session/session.h"

namespace firewall::nftables {

void open(const Session& session);
void pin(const Session& session);
void close(const Session& session);
void renew(const Session& session);

// Takes away what the flow of `session` has in our maps.
void forget(const Session& session);
void offer(const Session& session);  // in the place of what it had
void settle(const Session& session);
void remove_all_of(const Session& session);

Mended reconcile(const std::vector<Session>& sessions);
void lay(const std::vector<Session>& sessions);
// The ids among `sessions` whose packets find an element, be it another's.
std::set<std::string> served(const std::vector<Session>& sessions);
firewall::text::Base look_at_base();
// False: there was nothing.
bool purge();

}  // namespace firewall::nftables
