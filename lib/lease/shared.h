// lease/shared: leases that the nodes of a cluster have in common, in Redis;
// sallyport-cluster(7), LEASES. The node that has the shared addresses serves: its own
// spool is what counts, and is as quick and as sure as that of a host alone. Redis
// is what the others will know of it when it dies:
//
//   sallyport:lease:UUID       a hash: record, the Lease without what only its node
//                              knows (deadline, packets); by, the node that wrote it
//   sallyport:lease-port:5000  UUID: whose port that is, on any node
//   sallyport:lease-next       the port to try next
//   sallyport:lease-gone:UUID  it was ended: nobody may bring it back
//   sallyport:lease-master     the node that has exchanged last
//
// What is of one lease ends by itself, kSpare after the lease: by as much may the
// clocks of Redis servers differ. Who takes over counts each lifetime anew: no node
// believes another's clock.
//
//   /run/sallyport/lease_gone/UUID   a lease that ended here, which Redis is to be
//                                    told yet: a Lease record
//
// What Redis says is not believed: records are bounded, parsed strictly, and laid
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

// How much longer than a lease Redis keeps what it knows of it.
constexpr std::chrono::hours kSpare{2};

// How long opening a lease waits for Redis in all, and whatever moves all leases.
constexpr std::chrono::milliseconds kPatience{300};
constexpr std::chrono::milliseconds kLongPatience{3000};

// `local` is the spool. Opening, and nothing else, fails when Redis does:
// Failure{75}.
Registry open(const config::Config& config, std::unique_ptr<local::Spool> local);

}  // namespace lease::shared
