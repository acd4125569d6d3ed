#include "lease/flows.h"

#include <netinet/in.h>

#include <algorithm>
#include <set>
#include <utility>

#include "kernel/connmark.h"

namespace lease::flows {
namespace {

using conntrack::Flow;

bool takes(const Lease& lease, const Flow& flow) {
  const Port port = flow.proxy.port;
  if (flow.protocol == IPPROTO_TCP) return port == lease.ssh_port;
  return lease.udp_ports.low <= port && port <= lease.udp_ports.high;
}

using Pairs = std::set<std::pair<IpAddress, IpAddress>>;  // client, proxy

Pairs pairs_of(const std::vector<Lease>& leases) {
  Pairs pairs;
  for (const auto& lease : leases) pairs.insert({lease.client, lease.proxy});
  return pairs;
}

std::set<int> families_of(const std::vector<Lease>& leases) {
  std::set<int> families;
  for (const auto& lease : leases) families.insert(lease.client.family());
  return families;
}

// Flows that may belong to one of `leases`: with any bit of `mark`, or all if that is 0. Up to
// `most_pairs` pairs of client and proxy are asked for one by one.
std::vector<Flow> list(const conntrack::Table& table, const std::vector<Lease>& leases, std::uint32_t mark,
                       std::size_t most_pairs) {
  const Pairs pairs = pairs_of(leases);
  std::vector<Flow> flows;
  const auto take = [&](std::vector<Flow> more) { flows.insert(flows.end(), more.begin(), more.end()); };
  const bool v4 = std::all_of(pairs.begin(), pairs.end(), [](const auto& pair) { return pair.first.is_v4(); });
  if (v4 && pairs.size() <= most_pairs) {
    for (const auto& [client, proxy] : pairs) take(table.list_between(client, proxy));
  } else {
    for (const int family : families_of(leases)) take(table.list_with_tcp(family, mark));
  }
  return flows;
}

}  // namespace

bool is_marked(const Flow& flow) { return (flow.mark & connmark::kLease) == connmark::kLease; }

bool belongs(const Lease& lease, const Flow& flow) {
  return flow.client.ip == lease.client && flow.proxy.ip == lease.proxy && takes(lease, flow);
}

Index::Index(const std::vector<Lease>& leases) {
  for (const auto& lease : leases) {
    for (int i = 0; i < lease.ports(); ++i)
      by_port_[{lease.client, lease.proxy, static_cast<Port>(lease.ssh_port + i)}] = &lease;
  }
}

const Lease* Index::of(const Flow& flow) const {
  const auto at = by_port_.find({flow.client.ip, flow.proxy.ip, flow.proxy.port});
  return at != by_port_.end() && takes(*at->second, flow) ? at->second : nullptr;
}

std::vector<Flow> all() {
  const conntrack::Table table;
  auto flows = table.list_with_tcp(AF_INET, connmark::kLeaseBit);
  const auto more = table.list_with_tcp(AF_INET6, connmark::kLeaseBit);
  flows.insert(flows.end(), more.begin(), more.end());
  std::erase_if(flows, [](const Flow& flow) { return !is_marked(flow); });
  return flows;
}

void Traffic::add(const Flow& flow) {
  ++flows;
  if (!flow.counters) return;
  counted = true;
  counters.packets += flow.counters->packets;
  counters.bytes += flow.counters->bytes;
}

std::map<std::string, Traffic> end(const std::vector<Lease>& leases) {
  std::map<std::string, Traffic> carried;
  if (leases.empty()) return carried;
  const conntrack::Table table;
  const Index index(leases);
  for (const auto& flow : list(table, leases, connmark::kLeaseBit, 1)) {
    const Lease* lease = is_marked(flow) ? index.of(flow) : nullptr;
    if (lease && table.remove(flow)) carried[lease->id].add(flow);
  }
  return carried;
}

std::size_t end_early(const std::vector<Lease>& leases) {
  if (leases.empty()) return 0;
  constexpr std::size_t kMostPairs = 4;  // more would cost more than one question about all flows
  const conntrack::Table table;
  const Index index(leases);
  std::size_t count = 0;
  for (const auto& flow : list(table, leases, 0, kMostPairs)) {
    if (!is_marked(flow) && index.of(flow) && table.remove(flow)) ++count;
  }
  return count;
}

}  // namespace lease::flows
