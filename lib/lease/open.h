// lease/open: opens the registry of the leases that concern this host.
#pragma once

#include "lease/registry.h"

namespace config {
struct Config;
}

namespace lease {

// Depends on the host's role (lease/role.h); aspera.conf is read only on the nodes of a cluster. Makes
// the directories; session::spool::prepare() comes first. Failure{78}.
Registry open_registry();
// The same by `config` alone.
Registry open_registry(const config::Config& config);

}  // namespace lease
