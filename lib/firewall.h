// firewall: puts firewall_text in force by iptables-restore(8) and
// ip6tables-restore(8). Needs root. The caller holds a spool::FirewallLock.
// Failure{71} when the programs are missing or refuse.
#pragma once

#include <string>
#include <vector>

#include "firewall_text.h"
#include "session.h"

namespace firewall {

// Adds the rule of `session`. Lays the base first when it is missing or
// damaged, and then puts back the rules of `others`, which is only called in
// that case.
using Others = std::vector<Session> (*)();
void open(const Session& session, Others others);

// Narrows the rule of `session`, which has a flow now.
void pin(const Session& session, Others others);

// Removes the rule of `session`; it is no error when there is none.
void close(const Session& session);

// What the kernel holds in our sessions' chain: session ids (any comment,
// foreign ones included), each with its rule as iptables -S prints it. Empty
// when there is no such chain.
struct Rule {
  std::string comment;
  std::string line;
};
std::vector<Rule> list(firewall_text::Family family);
// Removes exactly these rules.
void remove(firewall_text::Family family, const std::vector<Rule>& rules);

// Removes everything of the suite's.
void purge(firewall_text::Family family);

}  // namespace firewall
