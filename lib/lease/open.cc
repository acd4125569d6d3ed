#include "lease/open.h"

#include "base/paths.h"
#include "config/config.h"
#include "lease/local.h"
#include "lease/role.h"
#include "lease/shared.h"

namespace lease {

Registry open_registry() {
  if (role::get() == Role::alone) return {local::open()};
  return open_registry(config::load(paths::kConfig, config::Author::root));
}

Registry open_registry(const config::Config& config) {
  if (config.cluster.shares_leases()) return shared::open(config, local::open());
  return {local::open()};
}

}  // namespace lease
