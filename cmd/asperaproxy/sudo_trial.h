// sudo_trial: checks that sudo starts the helpers of a session, or of the node service, so that they
// can do their work. It does what their callers do, as the same account: with sudo, its settings, PAM
// and pipes as they are (session/trial.h).
#pragma once

#include <string>
#include <vector>

#include "doctor.h"

namespace sudo_trial {

// Verdicts for members of the group sallyport. Empty when the helpers answer well.
doctor::Verdicts of_members(const std::vector<std::string>& users);

// What sudo says that it grants `user` (`sudo -l -U`), with "" behind each of `helpers` that is granted without
// arguments alone: sudo-rs leaves that out.
doctor::Answer grants_of(const std::string& user, const std::vector<std::string>& helpers);

}  // namespace sudo_trial
