// lease/life: when and how leases end. Needs root; the caller holds a Lock. Failure{71}.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/conntrack.h"
#include "lease/lease.h"
#include "lease/registry.h"

namespace lease::life {

// How long a lease without a lifetime lives without a packet.
constexpr std::chrono::seconds kIdleTime{60};

// The time when `lease` is over, if it was used or renewed at `now`.
std::chrono::seconds deadline_of(const Lease& lease, std::chrono::seconds now);

// Removes rule, flows and record of each, in this order: no flow begins without its rule, and no port
// is given to anybody else while a flow goes through it. Logs how much each carried, and `why`. If the
// process dies on the way, the lease stays on record as ending.
void end(Registry& registry, std::vector<Lease> leases, std::string_view why);
// The same in two parts; the rules end between them.
void begin_end(Store& store, Lease& lease);
void finish(Registry& registry, const std::vector<Lease>& leases, std::string_view why);

// Examines the leases without a lifetime among `leases`; `flows` are all their flows. A lease that has
// carried something since the last look lives on. Pure. It changes `leases` to what should be on
// record from now on, and returns those that were changed.
std::vector<Lease> note_packets(std::vector<Lease>& leases, const std::vector<conntrack::Flow>& flows,
                                std::chrono::seconds now);

// Ends leases that are over; returns how many.
std::size_t sweep(Registry& registry);

}  // namespace lease::life
