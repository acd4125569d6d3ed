// setup_config: the lines of aspera.conf that `asperaproxy setup` adds.
#pragma once

#include <string>

#include "config/config.h"
#include "setup_answers.h"

namespace asperaproxy::setup {

// The key that squashed sessions log in with.
std::string squash_key();

// Pure. `text` (empty: a new file) with the reverse proxy on, and a rule for each address of the answers that has none;
// and with the forward proxy on; and with the docroot of a node; where it is the original's, nothing is added. All else
// stays as it is. Failure{78}: it is wrong, or has another rule for one of the addresses.
std::string configured(std::string text, const Answers& answers);

}  // namespace asperaproxy::setup
