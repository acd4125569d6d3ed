#include "leases.h"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "lease/flows.h"

namespace sessions {

std::vector<LeaseRow> lease_rows(std::vector<lease::Lease> leases, const std::vector<conntrack::Flow>& flows,
                                 std::chrono::seconds now) {
  std::sort(leases.begin(), leases.end(), [](const lease::Lease& one, const lease::Lease& other) {
    return std::tie(one.started, one.id) < std::tie(other.started, other.id);
  });
  std::map<std::string, LeaseRow> found;
  const lease::flows::Index index(leases);
  for (const auto& flow : flows) {
    const lease::Lease* lease = index.of(flow);
    if (!lease) continue;
    LeaseRow& row = found[lease->id];
    ++row.flows;
    row.traffic.add(flow);
  }
  std::vector<LeaseRow> rows;
  for (const auto& lease : leases) {
    LeaseRow& row = found[lease.id];
    row.lease = lease;
    row.left = std::max(std::chrono::seconds(0), lease.deadline - now);
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace sessions
