// firewall: puts firewall_text in force by iptables-restore(8) and
// ip6tables-restore(8). Needs root. The caller holds a spool::FirewallLock.
// Failure{71} when the programs are missing or refuse.
#pragma once

#include <string>
#include <vector>

#include "firewall_text.h"
#include "session.h"

namespace firewall {

// Adds the rules of `session`. Lays the base first when it is missing or
// damaged, and then puts back the rules of `others`, which is only called in
// that case.
using Others = std::vector<Session> (*)();
void open(const Session& session, Others others);

// Narrows the rules of `session`, which has a flow now.
void pin(const Session& session, Others others);

// Removes the rules of `session`; it is no error when there are none.
void close(const Session& session);

// Rules in the name of `session`, pinned to a flow that may turn out to be its
// own, in the place of whichever such rules that flow had.
void offer(const Session& session);
// Of all rules in the name of `session`, leaves just those it should have.
void settle(const Session& session);
// And leaves none.
void remove_all_of(const Session& session);

// What the kernel holds in our sessions' chains: session ids (any comment,
// foreign ones included), each with its rule as iptables -S prints it. Empty
// when there are no such chains.
struct Rule {
  std::string comment;
  std::string line;
};
std::vector<Rule> list(firewall_text::Family family);
// Removes exactly these rules.
void remove(firewall_text::Family family, const std::vector<Rule>& rules);

// Compares what is in force with what `sessions`, all that live, should have,
// and mends the difference. Lays the base only for a family with sessions.
struct Mended {
  bool laid = false;          // the base was missing or damaged, or a rule was
  std::vector<Rule> removed;  // rules in our chains that no session accounts for
};
Mended reconcile(firewall_text::Family family, const std::vector<Session>& sessions);

// Puts the base in force, and the rules of `sessions`, all that live; whatever
// our chains held before is replaced.
void lay(firewall_text::Family family, const std::vector<Session>& sessions);

// Whether the chains and jumps that lead to the sessions' rules are in force.
firewall_text::Base look_at_base(firewall_text::Family family);

// Removes everything of the suite's.
void purge(firewall_text::Family family);

}  // namespace firewall
