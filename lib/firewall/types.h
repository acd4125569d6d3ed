// firewall/types: what reconcile() says it has done, whichever firewall it was; see
// firewall/firewall.h.
#pragma once

#include <string>
#include <vector>

namespace firewall {

struct Rule {
  std::string comment;  // session id; any comment, when it is foreign
  std::string line;     // for people; of iptables, as iptables -S prints it
};

struct Mended {
  bool laid = false;          // the base was missing or damaged, or a rule was
  std::vector<Rule> removed;  // rules in our chains that no session accounts for
};

}  // namespace firewall
