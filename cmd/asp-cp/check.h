// check: what would come between a person and a transfer, step by step, as a transfer takes them: name, TCP, host
// key, log-in, the server behind, UDP there and back, the largest datagram, the speed of a short burst.
#pragma once

#include "arguments.h"
#include "control.h"
#include "protocol.h"
#include "rendezvous.h"

namespace asp_cp {

// The client's end. Returns the exit code.
int check(const Command& command);
// The server's, from where it has said `reached`.
void serve_check(Control& control, Peer peer, const Open& open, const std::string& session);

}  // namespace asp_cp
