#include "lease_open.h"

#include "config.h"
#include "lease_local.h"
#include "lease_role.h"
#include "lease_shared.h"
#include "paths.h"

namespace lease {

std::unique_ptr<LeaseStore> open_store() {
  if (lease_role::get() == LeaseRole::alone) return lease_local::open();
  return open_store(config::load(paths::kConfig, config::Author::root));
}

std::unique_ptr<LeaseStore> open_store(const config::Config& config) {
  if (config.cluster.shares_leases()) return lease_shared::open(config, lease_local::open());
  return lease_local::open();
}

}  // namespace lease
