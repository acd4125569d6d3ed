// lease/open: which leases this host has to do with, by what it is.
#pragma once

#include "lease/registry.h"

namespace config {
struct Config;
}

namespace lease {

// By what the host is (lease/role.h); aspera.conf is read only on the nodes of a
// cluster. Makes the directories; session::spool::prepare() comes first. Failure{78}.
Registry open_registry();
// The same by `config` alone.
Registry open_registry(const config::Config& config);

}  // namespace lease
