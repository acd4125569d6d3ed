// lease/open: which store of leases this host has.
#pragma once

#include <memory>

#include "lease/store.h"

namespace config {
struct Config;
}

namespace lease {

// By what the host is (lease/role.h); aspera.conf is read only on the nodes of a
// cluster. Makes the directories; session::spool::prepare() comes first. Failure{78}.
std::unique_ptr<LeaseStore> open_store();
// The same by `config` alone.
std::unique_ptr<LeaseStore> open_store(const config::Config& config);

}  // namespace lease
