// burst: as much as goes through within two seconds, in one direction. What has not arrived yet never grows
// beyond what has (or 64 KiB), so that a slow line is free again soon.
#pragma once

#include "channels.h"
#include "protocol.h"

namespace asp_cp::burst {

// Sends, and says `sent`.
Sent send(Session& session);

struct Came {
  Sent sent;  // what the other end said
  Got got;
};
// Receives until all is there of which `sent` speaks, or nothing comes for some seconds.
Came receive(Session& session);

}  // namespace asp_cp::burst
