// sudo_trial: checks that sudo starts the helpers of a session, or of the node service, so that they
// can do their work. It does what their callers do, as the same account: with sudo, its settings, PAM
// and pipes as they are (session/trial.h).
#pragma once

#include <string>
#include <vector>

#include "doctor.h"

namespace sudo_trial {

// Verdicts for members of the group sallyport. Empty when the
// helpers answer well, and sudo grants nothing else.
doctor::Verdicts of_members(const std::vector<std::string>& users);

}  // namespace sudo_trial
