#include "lease/open.h"

#include "base/paths.h"
#include "config/config.h"
#include "lease/local.h"
#include "lease/role.h"
#include "lease/shared.h"

namespace lease {

std::unique_ptr<LeaseStore> open_store() {
  if (lease::role::get() == LeaseRole::alone) return lease::local::open();
  return open_store(config::load(paths::kConfig, config::Author::root));
}

std::unique_ptr<LeaseStore> open_store(const config::Config& config) {
  if (config.cluster.shares_leases()) return lease::shared::open(config, lease::local::open());
  return lease::local::open();
}

}  // namespace lease
