// setup_node: what `asperaproxy setup --direction node` does besides: a host inside becomes a transfer node, on which
// the account that the proxy logs in to browses and transfers in its docroot.
#pragma once

#include <string>
#include <string_view>

#include "setup_step.h"
#include "verdict.h"

namespace asperaproxy::setup {

// Pure. `drop_in`, the suite's own for sshd, as a node needs it: all users come from the proxy's address, so that no
// bound and no penalty is for one address. `knows_penalties`: this sshd has the latter (OpenSSH 9.8 and later).
std::string for_node(std::string_view drop_in, const Answers& answers, bool knows_penalties);

Step node_account_step(const Answers& answers, const Journal& journal);
Step node_key_step(const Answers& answers, const Journal& journal);
Step docroot_step(const Answers& answers, const Journal& journal);

// A file goes into the docroot by way of this host's sshd, comes back, and is deleted. Failure{71}.
doctor::Verdict transfer_of(const Answers& answers);

// What others have to do: firewalls, and whoever administers the proxy.
std::string node_remains(const Answers& answers);

}  // namespace asperaproxy::setup
