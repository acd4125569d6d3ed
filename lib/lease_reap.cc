#include "lease_reap.h"

#include <set>
#include <vector>

#include "lease_base.h"
#include "lease_flows.h"
#include "lease_life.h"
#include "lease_rules.h"
#include "lease_store.h"
#include "lease_text.h"
#include "logging.h"
#include "spool.h"
#include "tool.h"

namespace lease_reap {
namespace {

using firewall_text::Family;

void log(const lease_rules::Mended& mended) {
  if (mended.base) logging::event("Put back the rules of leases: the firewall had lost some");
  if (mended.laid > 0) logging::event("Put back the mappings of {} leases", mended.laid);
  if (mended.removed > 0) logging::event("Reaped {} mappings without a lease", mended.removed);
}

// Flows that bear a lease's mark and go through none, or lead elsewhere.
void reap_flows(const std::vector<Lease>& leases, const std::vector<conntrack::Flow>& flows) {
  const lease_flows::Index index(leases);
  const conntrack::Table table;
  for (const auto& flow : flows) {
    const Lease* lease = index.of(flow);
    if (lease && flow.server.ip == lease->address) continue;
    if (table.remove(flow)) logging::event("Reaped the flow between {} and {}: no lease", flow.client.text(), flow.server.text());
  }
}

// Every lease without a lifetime is looked at, so that the last packet is known
// to the minute.
void look_at_all(LeaseStore& store, const std::vector<conntrack::Flow>& flows) {
  auto leases = store.all();
  const auto changed = lease_life::look(leases, flows, lease::boot_now());
  for (const auto& lease : changed) store.put(lease);
  lease_rules::apply({{}, changed, {}}, store);
}

// Which families have leases now.
std::set<Family> reap(LeaseStore& store) {
  store.tidy();
  const auto flows = lease_flows::all();
  look_at_all(store, flows);
  lease_life::sweep(store);
  auto leases = store.all();
  std::erase_if(leases, [](const Lease& lease) { return lease.ending; });
  log(lease_rules::reconcile(leases));
  reap_flows(leases, flows);
  if (const auto count = lease_flows::end_early(leases); count > 0) logging::event("Reaped {} flows that began before their lease", count);
  std::set<Family> families;
  for (const auto& lease : leases) families.insert(lease_text::family_of(lease));
  return families;
}

}  // namespace

void all() {
  if (spool::stopped()) {
    end_all();
    return;
  }
  const auto store = lease_store::open();
  std::set<Family> families;
  {
    const LeaseLock lock;
    families = reap(*store);
  }
  for (const auto family : families) {
    if (lease_base::ensure(family)) logging::event("Put back the base rules that leases need");
  }
}

bool end_one(const std::string& id, const std::string& why) {
  const auto store = lease_store::open();
  const LeaseLock lock;
  const auto lease = store->get(id);
  if (lease) lease_life::end(*store, {*lease}, why);
  return lease.has_value();
}

std::size_t end_all() {
  const auto store = lease_store::open();
  const LeaseLock lock;
  const auto leases = store->all();
  lease_life::end(*store, leases, "the proxy is stopped");
  store->tidy();
  if (lease_rules::purge() && leases.empty()) logging::event("Purged the rules of leases: the proxy is stopped");
  reap_flows({}, lease_flows::all());
  return leases.size();
}

}  // namespace lease_reap
