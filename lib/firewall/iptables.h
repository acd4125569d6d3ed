// firewall/iptables: the backend that uses iptables(8) and ip6tables(8): it puts firewall/text in
// force. Only firewall.cc and nftables.cc use it.
#pragma once

#include "firewall/backend.h"
#include "firewall/text.h"

namespace firewall::iptables {

Backend& backend(text::Family family);

// Lays only the rule that accepts marked flows in FORWARD, which nftables needs, too. False: it was
// there. Failure{71}.
bool lay_accepting(text::Family family);

}  // namespace firewall::iptables
