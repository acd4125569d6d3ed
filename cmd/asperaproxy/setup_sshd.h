// setup_sshd: the drop-in for sshd that `asperaproxy setup` lays, and whether people could still log in with it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "setup_step.h"

namespace asperaproxy::setup {

// Pure. `sample`, the suite's own, with these ports in the place of its own.
std::string drop_in(std::string_view sample, const std::vector<Port>& ports, RootLogin root_login);

// Pure. `main`, the text of sshd_config, that includes `candidate` beside the others of sshd_config.d, which are
// `names`, at its place by name: what sshd would read if sallyport.conf were there. Empty: it includes none of that
// directory.
std::string with_candidate(std::string_view main, std::vector<std::string> names, const std::string& candidate);

// Pure. The Port lines that the drop-in needs so that sshd listens on all of `now`, and on 33001. `probe` is where it
// would listen (sshd -T) if the drop-in were the line "Port 33001" alone.
std::vector<Port> ports_to_add(const std::vector<Port>& now, std::vector<Port> probe);

// The step. Failure{71}: sshd does not take it; {77}: the one who runs this could not log in any more.
Step sshd_step(const Answers& answers, const Journal& journal);

}  // namespace asperaproxy::setup
