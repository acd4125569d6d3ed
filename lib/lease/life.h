// lease/life: when leases end, and how. Needs root; the caller holds a
// Lock. Failure{71}.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/conntrack.h"
#include "lease/lease.h"
#include "lease/registry.h"

namespace lease::life {

// How long one without a lifetime lives without a packet.
constexpr std::chrono::seconds kSilence{60};

// When `lease` is over, used or renewed at `now`.
std::chrono::seconds deadline_of(const Lease& lease, std::chrono::seconds now);

// Rule, flows and record of each, in this order: no flow begins without its
// rule, and no port is anybody else's while there is a flow through it. Logs
// what each carried, and `why`. Who dies on the way leaves it on record as ending.
void end(Registry& registry, std::vector<Lease> leases, std::string_view why);
// The same in two parts, the end of the rules between them.
void begin_end(Store& store, Lease& lease);
void finish(Registry& registry, const std::vector<Lease>& leases, std::string_view why);

// Looks at those without a lifetime among `leases`, of whose flows `flows` are
// all; those that carried something since the last look live on. Pure; `leases`
// are as they should be on record from now on, and those that were changed are
// returned.
std::vector<Lease> look(std::vector<Lease>& leases, const std::vector<conntrack::Flow>& flows,
                        std::chrono::seconds now);

// Ends what is over; how many.
std::size_t sweep(Registry& registry);

}  // namespace lease::life
