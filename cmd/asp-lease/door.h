// door: the socket at which the node service asks for leases, where systemd does not hold it
// (asp-lease.socket). One process is started for each caller, as systemd does.
//
//   /run/sallyport/lease.sock   SOCK_SEQPACKET, root:sallyport-node 0660
#pragma once

namespace door {

// Returns in the process of each caller, whose connection is its stdin and stdout. The caller has to be verified
// by channel::check(). False: told to end by SIGTERM or SIGINT; callers go on being served. Failure{71},
// Failure{75} when something listens there already.
bool open();

}  // namespace door
