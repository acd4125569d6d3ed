#include "lease/life.h"

#include <algorithm>

#include "base/boot_clock.h"
#include "base/logging.h"
#include "lease/flows.h"
#include "lease/rules.h"

namespace lease::life {
namespace {

using Seconds = std::chrono::seconds;

void log_end(const Lease& lease, const flows::Traffic& carried, std::string_view why) {
  const std::string traffic =
      carried.counted ? fmt::format(" packets={} bytes={}", carried.counters.packets, carried.counters.bytes) : "";
  logging::event("Ended lease={} user={} client={} port={} address={} flows={}{}: {}", lease.id,
                 lease.user.empty() ? "-" : lease.user, lease.client.text(), lease.ssh_port, lease.address.text(),
                 carried.flows, traffic, why);
}

// The leases that are to end now.
std::vector<Lease> over(const std::vector<Lease>& leases, Seconds now) {
  std::vector<Lease> found;
  for (const auto& lease : leases) {
    if (lease.ending || lease.is_over(now)) found.push_back(lease);
  }
  return found;
}

const char* reason_of(const Lease& lease) {
  if (lease.ending) return "its end was not finished";
  return lease.lives_by_flows() ? "no packets for a minute" : "not renewed in time";
}

}  // namespace

Seconds deadline_of(const Lease& lease, Seconds now) {
  return now + (lease.lives_by_flows() ? kIdleTime : lease.lifetime);
}

void finish(Registry& registry, const std::vector<Lease>& leases, std::string_view why) {
  auto carried = flows::end(leases);
  for (const auto& lease : leases) {
    registry.store->remove(lease, why.empty() ? Store::End::over : Store::End::asked);
    log_end(lease, carried[lease.id], why.empty() ? reason_of(lease) : why);
  }
  registry.tell_changes();
}

void begin_end(Store& store, Lease& lease) {
  lease.ending = true;
  store.put(lease);
}

void end(Registry& registry, std::vector<Lease> leases, std::string_view why) {
  if (leases.empty()) return;
  auto ending = leases;
  for (auto& lease : ending) begin_end(*registry.store, lease);
  rules::apply({{}, {}, ending}, registry);
  finish(registry, leases, why);
}

std::vector<Lease> note_packets(std::vector<Lease>& leases, const std::vector<conntrack::Flow>& flows, Seconds now) {
  std::map<std::string, flows::Traffic> traffic;
  const flows::Index index(leases);
  for (const auto& flow : flows) {
    if (const Lease* lease = index.of(flow)) traffic[lease->id].add(flow);
  }
  std::vector<Lease> changed;
  for (auto& lease : leases) {
    if (!lease.lives_by_flows() || lease.ending) continue;
    const auto& carried = traffic[lease.id];
    const std::uint64_t packets = carried.counters.packets;
    // A smaller count means that some flows are gone; others may have come. If the kernel does not count, an
    // existing flow is all that is known.
    const bool used = carried.counted ? packets != lease.packets : carried.flows > 0;
    if (!used) continue;
    lease.packets = packets;
    lease.deadline = deadline_of(lease, now);
    changed.push_back(lease);
  }
  return changed;
}

std::size_t sweep(Registry& registry) {
  if (!registry.serves()) return 0;
  const Seconds now = boot_clock::seconds();
  auto due = registry.store->due(now);
  if (due.empty()) return 0;
  const bool by_flows =
      std::any_of(due.begin(), due.end(), [](const Lease& lease) { return lease.lives_by_flows() && !lease.ending; });
  if (by_flows) {
    const auto changed = note_packets(due, flows::all(), now);
    for (const auto& lease : changed) registry.store->put(lease);
    rules::apply({{}, changed, {}}, registry);
  }
  const auto ended = over(due, now);
  end(registry, ended, "");
  registry.tell_changes();
  return ended.size();
}

}  // namespace lease::life
