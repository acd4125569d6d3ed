// base: whether the rules that carry all sessions' rules are in force.
#pragma once

#include <string>
#include <vector>

#include "firewall_text.h"

namespace asperaproxy {

enum class Base {
  present,   // all of it, as it should be
  absent,    // nothing of it: the first session lays it
  damaged,   // somebody took a part away, or changed it
  unusable,  // iptables(8) cannot be asked
};
const char* name_of(Base base);

// Pure: `lines` are those of `iptables -S` for the tables nat and filter.
using Lines = std::vector<std::string>;
Base judge(const Lines& nat, const Lines& filter);

// Asks iptables or ip6tables. Needs root.
Base look_at_base(firewall_text::Family family);

}  // namespace asperaproxy
