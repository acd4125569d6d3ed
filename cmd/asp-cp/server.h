// server: asp-cp -S, the end that sshd starts.
#pragma once

namespace asp_cp {

struct Command;

// Serves one session on stdin and stdout. Returns the exit code; the client has been told why, and
// stderr stays empty.
int serve(const Command& command);

}  // namespace asp_cp
