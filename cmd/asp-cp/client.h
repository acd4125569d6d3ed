// client: the end that a person starts.
#pragma once

#include "arguments.h"

namespace asp_cp {

// Returns the exit code; failures of single files have been reported on stderr.
int transfer(const Command& command);

}  // namespace asp_cp
