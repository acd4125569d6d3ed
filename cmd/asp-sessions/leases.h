// leases: the forward proxy's leases, and how much each has carried.
#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

#include "lease/lease.h"
#include "ledger.h"

namespace sessions {

struct LeaseRow {
  lease::Lease lease;
  std::chrono::seconds left{0};  // until it ends, unless it is renewed or used
  std::size_t flows = 0;         // that the kernel knows now
  Traffic traffic;
};

// Sorted by start. Pure.
std::vector<LeaseRow> lease_rows(std::vector<lease::Lease> leases, const std::vector<conntrack::Flow>& flows,
                                 std::chrono::seconds now);

}  // namespace sessions
