// session/trial: whether a helper that sudo runs as root could do its work if there were
// a session. The doctor asks as a session would; the helper answers.
//
//   trial=sudo
//
//   works
#pragma once

#include <string>

#include "base/record.h"
#include "base/status.h"

namespace session::trial {

Record question();
bool is_question(const Record& record);

// Runs a program as a helper has to, under that account unless it is empty, since sudo or its settings
// may forbid it. Returns "works", or "failed reason=...".
status::Line answer(const std::string& account = {});

}  // namespace session::trial
