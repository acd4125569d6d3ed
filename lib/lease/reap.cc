#include "lease/reap.h"

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

void log(const lease::rules::Mended& mended) {
  if (mended.base) logging::event("Put back the rules of leases: the firewall had lost some");
  if (mended.laid > 0) logging::event("Put back the mappings of {} leases", mended.laid);
  if (mended.removed > 0) logging::event("Reaped {} mappings without a lease", mended.removed);
}

// Flows that bear a lease's mark and go through none, or lead elsewhere.
void reap_flows(const std::vector<Lease>& leases, const std::vector<conntrack::Flow>& flows) {
  const lease::flows::Index index(leases);
  const conntrack::Table table;
  for (const auto& flow : flows) {
    const Lease* lease = index.of(flow);
    if (lease && flow.server.ip == lease->address) continue;
    if (table.remove(flow))
      logging::event("Reaped the flow between {} and {}: no lease", flow.client.text(), flow.server.text());
  }
}

// Every lease without a lifetime is looked at, so that the last packet is known
// to the minute.
void look_at_all(LeaseStore& store, const std::vector<conntrack::Flow>& flows) {
  auto leases = store.all();
  const auto changed = lease::life::look(leases, flows, boot_clock::seconds());
  for (const auto& lease : changed) store.put(lease);
  lease::rules::apply({{}, changed, {}}, store);
}

// Null: this is a node of a cluster, and aspera.conf, which says of which, is wrong.
std::unique_ptr<LeaseStore> open_if_known() {
  try {
    return lease::open_store();
  } catch (const tool::Failure& failure) {
    if (failure.code() != tool::config) throw;
    logging::error("leases: {}", logging::escape(failure.what()));
    return nullptr;
  }
}

std::vector<Lease> living(LeaseStore& store) {
  auto leases = store.all();
  std::erase_if(leases, [](const Lease& lease) { return lease.ending; });
  return leases;
}

// Which families have leases now.
std::set<Family> reap(LeaseStore& store) {
  store.tidy();
  const auto flows = lease::flows::all();
  look_at_all(store, flows);
  lease::life::sweep(store);
  const auto leases = living(store);
  log(lease::rules::reconcile(leases, store));
  if (store.is_whole()) reap_flows(leases, flows);
  if (const auto count = lease::flows::end_early(leases); count > 0)
    logging::event("Reaped {} flows that began before their lease", count);
  std::set<Family> families;
  for (const auto& lease : leases) families.insert(lease::text::family_of(lease));
  store.settle();
  return families;
}

// What the others know, and nothing that could wait.
void learn(LeaseStore& store) {
  const auto before = store.count();
  store.exchange();
  const auto leases = living(store);
  if (leases.size() != before) lease::rules::lay(leases, store);
  if (store.is_whole()) reap_flows(leases, lease::flows::all());
}

// On a host that does not serve, there are no leases, and flows are none of its
// business: they may be the master's.
void clear(LeaseStore& store) {
  store.forget();
  store.settle();
  log(lease::rules::reconcile({}, store));
}

}  // namespace

void all() {
  if (session::spool::stopped()) {
    end_all();
    return;
  }
  const auto store = open_if_known();
  if (!store) return;
  std::set<Family> families;
  {
    const LeaseLock lock;
    if (!store->serves()) return clear(*store);
    store->exchange();
    families = reap(*store);
  }
  for (const auto family : families) {
    if (lease::base::ensure(family)) logging::event("Put back the base rules that leases need");
  }
}

std::size_t take_over() {
  const LeaseLock lock;
  lease::role::set(LeaseRole::master);
  const auto store = lease::open_store();
  if (!store->shares()) return 0;
  store->fetch();
  const auto leases = living(*store);
  lease::rules::lay(leases, *store);
  return leases.size();
}

void complete() {
  const LeaseLock lock;
  const auto store = lease::open_store();
  if (store->serves() && store->shares()) learn(*store);
}

void stand_by() {
  const LeaseLock lock;
  lease::role::set(LeaseRole::standby);
  const auto store = lease::open_store();
  if (!store->shares()) return;
  store->forget();
  store->settle();
  // The base stays: without a chain of NAT the kernel would translate nothing.
  lease::rules::lay({}, *store);
}

void catch_up(LeaseStore& store) {
  if (session::spool::stopped()) return;
  store.settle();
  if (store.is_behind()) learn(store);
}

bool end_one(const std::string& id, const std::string& why) {
  const auto store = lease::open_store();
  const LeaseLock lock;
  const auto lease = store->get(id);
  if (lease) lease::life::end(*store, {*lease}, why);
  return lease.has_value();
}

std::size_t end_all() {
  const auto store = open_if_known();
  const LeaseLock lock;
  if (!store || store->shares()) {
    lease::rules::purge();
    if (!store) return 0;
    const auto count = store->count();
    store->forget();
    return count;
  }
  const auto leases = store->all();
  lease::life::end(*store, leases, "the proxy is stopped");
  store->tidy();
  if (lease::rules::purge() && leases.empty()) logging::event("Purged the rules of leases: the proxy is stopped");
  reap_flows({}, lease::flows::all());
  return leases.size();
}

}  // namespace lease::reap
