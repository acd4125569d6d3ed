// gate: until a node that becomes master knows the flows of the one that died, its
// kernel would answer their packets as those of strangers: with a reset, which ends
// the TCP connections of leases. So a standby drops what is for a shared address and
// begins nothing: TCP without SYN, and UDP, of flows that it does not know, and TCP
// of flows that it knew when it was master last, and which have gone on since. That
// waits for it there when the addresses come.
//
//   table inet sallyport_gate { chain arriving { type filter hook input …
//     ip daddr { 198.51.100.39 } ct state { new, invalid } tcp flags & (syn | rst) == 0 drop
#pragma once

#include "config/config.h"

namespace gate {

// Both need root; Failure{71}. To do either twice is no error.
void close(const config::Cluster& cluster);
void open();

}  // namespace gate
