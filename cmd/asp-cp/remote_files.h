// remote_files: lists and changes files on a server, by its ascmd (browse/answers.h).
#pragma once

#include "arguments.h"

namespace asp_cp {

// Asks for all paths in one session; what is found goes to stdout, what failed, a line each, to stderr. Returns the
// exit code: that of the first path that failed. Failure{65, 69, 77}: nothing could be asked, or not all was answered.
int browse(const Command& command);

}  // namespace asp_cp
