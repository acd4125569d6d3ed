// lease/shared: leases that the nodes of a cluster have in common, in Redis;
// sallyport-cluster(7), LEASES. The node that has the shared addresses serves: its own
// spool counts, and is as fast and as reliable as that of a host alone. Redis has what
// the others will know of it when it dies:
//
//   sallyport:lease:UUID       a hash: record, the Lease without what only its node
//                              knows (deadline, packets); by, the node that wrote it
//   sallyport:lease-port:5000  UUID: whose port that is, on any node
//   sallyport:lease-next       the port to try next
//   sallyport:lease-gone:UUID  it was ended: nobody may bring it back
//   sallyport:lease-master     the node that was the last to exchange
//
// The keys of a lease expire by themselves, kKeptBeyondEnd after the lease: the clocks of
// Redis servers may differ by as much. A node that takes over starts each lifetime anew: no
// node believes another's clock.
//
//   /run/sallyport/lease_gone/UUID   a lease that ended here, which Redis is still
//                                    to be told: a Lease record
//
// The contents of Redis are not believed: records are bounded, parsed strictly, and laid
// only if aspera.conf would permit them here and now.
#pragma once

#include <chrono>
#include <memory>

#include "lease/local.h"
#include "lease/registry.h"

namespace config {
struct Config;
}

namespace lease::shared {

// How long Redis keeps the keys of a lease beyond its end.
constexpr std::chrono::hours kKeptBeyondEnd{2};

// How long opening a lease waits for Redis in all, and how long functions for all leases wait.
constexpr std::chrono::milliseconds kQuickPatience{300};
constexpr std::chrono::milliseconds kLongPatience{3000};

// `local` is the spool. When Redis fails, only opening fails: Failure{75}.
Registry open(const config::Config& config, std::unique_ptr<local::Spool> local);

}  // namespace lease::shared
