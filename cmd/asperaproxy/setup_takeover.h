// setup_takeover: the steps of `asperaproxy setup --from-original` for people: their rights, accounts and keys.
#pragma once

#include "setup_step.h"

namespace asperaproxy::setup {

Step old_grants_step(const Answers& answers, const Journal& journal);
// The accounts whose shell is aspshell become members of the group, and their keys root's.
Step members_step(const Answers& answers, const Journal& journal);

}  // namespace asperaproxy::setup
