// firewall/flows: the kernel's flows that belong to a session's rule. Pure.
#pragma once

#include <vector>

#include "kernel/conntrack.h"
#include "session/session.h"

namespace firewall::flows {

// True if a lease of the forward proxy took `flow`: then it is no session's.
bool is_of_lease(const conntrack::Flow& flow);

// True if the current rule of `session` translates `flow`: from its client, to its proxy address and
// port, to its server. A pinned session has only its own flow.
bool belongs(const session::Session& session, const conntrack::Flow& flow);

// True if the open rule of `session` would translate a packet from `client` to `proxy`, whatever it is
// pinned to.
bool would_take(const session::Session& session, const Endpoint& client, const Endpoint& proxy);

// True if the session is pinned, or has its first flow, and it is this one.
bool is_flow_of(const session::Session& session, const conntrack::Flow& flow);

// The proxy's end of the flow that a session is pinned to.
Endpoint proxy_end(const session::Session& pinned);

// True if the open rules of both sessions take the same packets.
bool collide(const session::Session& one, const session::Session& other);

}  // namespace firewall::flows
