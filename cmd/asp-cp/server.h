// server: asp-cp -S, the end that sshd starts.
#pragma once

namespace asp_cp {

// One session on stdin and stdout. Returns the exit code; the client has been
// told why, stderr stays empty.
int serve();

}  // namespace asp_cp
