// lease_open: which store of leases this host has.
#pragma once

#include <memory>

#include "lease_store.h"

namespace config {
struct Config;
}

namespace lease {

// By what the host is (lease_role.h); aspera.conf is read only on the nodes of a
// cluster. Makes the directories; spool::prepare() comes first. Failure{78}.
std::unique_ptr<LeaseStore> open_store();
// The same by `config` alone.
std::unique_ptr<LeaseStore> open_store(const config::Config& config);

}  // namespace lease
