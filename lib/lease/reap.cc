#include "lease/reap.h"

#include <optional>
#include <set>
#include <vector>

#include "base/boot_clock.h"
#include "base/failure.h"
#include "base/logging.h"
#include "lease/base.h"
#include "lease/flows.h"
#include "lease/life.h"
#include "lease/lock.h"
#include "lease/open.h"
#include "lease/role.h"
#include "lease/rules.h"
#include "lease/text.h"
#include "session/spool.h"

namespace lease::reap {
namespace {

using firewall::text::Family;

void log(const rules::Mended& mended) {
  if (mended.base) logging::event("Put back the rules of leases: the firewall had lost some");
  if (mended.laid > 0) logging::event("Put back the mappings of {} leases", mended.laid);
  if (mended.removed > 0) logging::event("Reaped {} mappings without a lease", mended.removed);
}

// Ends flows that have a lease's mark and go through none, or lead elsewhere.
void reap_flows(const std::vector<Lease>& leases, const std::vector<conntrack::Flow>& flows) {
  const flows::Index index(leases);
  const conntrack::Table table;
  for (const auto& flow : flows) {
    const Lease* lease = index.of(flow);
    if (lease && flow.server.ip == lease->address) continue;
    if (table.remove(flow))
      logging::event("Reaped the flow between {} and {}: no lease", flow.client.text(), flow.server.text());
  }
}

// Examines every lease without a lifetime, so that the time of the last packet is known to the minute.
void note_all_packets(Registry& registry, const std::vector<conntrack::Flow>& flows) {
  auto leases = registry.store->all();
  const auto changed = life::note_packets(leases, flows, boot_clock::seconds());
  for (const auto& lease : changed) registry.store->put(lease);
  rules::apply({{}, changed, {}}, registry);
}

// Absent: this is a node of a cluster, and aspera.conf, which describes the cluster, is wrong.
std::optional<Registry> open_if_known() {
  try {
    return open_registry();
  } catch (const tool::Failure& failure) {
    if (failure.code() != tool::config) throw;
    logging::error("leases: {}", logging::escape(failure.what()));
    return std::nullopt;
  }
}

std::vector<Lease> living(Store& store) {
  auto leases = store.all();
  std::erase_if(leases, [](const Lease& lease) { return lease.ending; });
  return leases;
}

// Returns the families that have leases now.
std::set<Family> reap(Registry& registry) {
  registry.store->tidy();
  const auto flows = flows::all();
  note_all_packets(registry, flows);
  life::sweep(registry);
  const auto leases = living(*registry.store);
  log(rules::reconcile(leases, registry.ways));
  if (registry.is_whole()) reap_flows(leases, flows);
  if (const auto count = flows::end_early(leases); count > 0)
    logging::event("Reaped {} flows that began before their lease", count);
  std::set<Family> families;
  for (const auto& lease : leases) families.insert(text::family_of(lease));
  registry.tell_changes();
  return families;
}

// Takes over what the others know, and does nothing that could wait.
void learn(Registry& registry) {
  const auto before = registry.store->count();
  registry.peering->exchange();
  const auto leases = living(*registry.store);
  if (leases.size() != before) rules::lay(leases, registry.ways);
  if (registry.is_whole()) reap_flows(leases, flows::all());
}

// A host that does not serve has no leases. It leaves flows alone: they may be the master's.
void clear(Registry& registry) {
  registry.peering->forget();
  registry.peering->tell_changes();
  log(rules::reconcile({}, registry.ways));
}

}  // namespace

void all() {
  if (session::spool::stopped()) {
    end_all();
    return;
  }
  auto registry = open_if_known();
  if (!registry) return;
  std::set<Family> families;
  {
    const Lock lock;
    if (!registry->serves()) return clear(*registry);
    if (registry->peering) registry->peering->exchange();
    families = reap(*registry);
  }
  for (const auto family : families) {
    if (base::ensure(family)) logging::event("Put back the base rules that leases need");
  }
}

std::size_t take_over() {
  const Lock lock;
  role::set(Role::master);
  const auto registry = open_registry();
  if (!registry.peering) return 0;
  registry.peering->fetch();
  const auto leases = living(*registry.store);
  rules::lay(leases, registry.ways);
  return leases.size();
}

void complete() {
  const Lock lock;
  auto registry = open_registry();
  if (registry.peering && registry.serves()) learn(registry);
}

void stand_by() {
  const Lock lock;
  role::set(Role::standby);
  const auto registry = open_registry();
  if (!registry.peering) return;
  registry.peering->forget();
  registry.peering->tell_changes();
  // The base stays: without a NAT chain the kernel would translate nothing.
  rules::lay({}, registry.ways);
}

void catch_up(Registry& registry) {
  if (session::spool::stopped()) return;
  registry.tell_changes();
  if (registry.peering->is_behind()) learn(registry);
}

bool end_one(const std::string& id, const std::string& why) {
  auto registry = open_registry();
  const Lock lock;
  const auto lease = registry.store->get(id);
  if (lease) life::end(registry, {*lease}, why);
  return lease.has_value();
}

std::size_t end_all() {
  auto registry = open_if_known();
  const Lock lock;
  if (!registry || registry->peering) {
    rules::purge();
    if (!registry) return 0;
    const auto count = registry->store->count();
    registry->peering->forget();
    return count;
  }
  const auto leases = registry->store->all();
  life::end(*registry, leases, "the proxy is stopped");
  registry->store->tidy();
  if (rules::purge() && leases.empty()) logging::event("Purged the rules of leases: the proxy is stopped");
  reap_flows({}, flows::all());
  return leases.size();
}

}  // namespace lease::reap
