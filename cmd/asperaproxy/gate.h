// gate: until a node that becomes master knows the flows of the dead one, its
// kernel would treat their packets as unknown and answer with a reset, which ends
// the TCP connections of leases. So a standby drops packets to a shared address that
// begin nothing: TCP without SYN, and UDP, of unknown flows, and TCP of flows that it
// knew when it was master last, and which have gone on since. The gate is already
// in place when the addresses come.
//
//   table inet sallyport_gate { chain arriving { type filter hook input …
//     ip daddr { 198.51.100.39 } ct state { new, invalid } tcp flags & (syn | rst) == 0 drop
#pragma once

#include "config/config.h"

namespace gate {

// Both need root; Failure{71}. Both may be called twice.
void close(const config::Cluster& cluster);
void open();

}  // namespace gate
