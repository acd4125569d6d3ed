// lease/registry: the leases of this host and, if it is a node of a cluster, its part in those of all
// nodes. lease/open.h opens it.
#pragma once

#include <memory>

#include "lease/peering.h"
#include "lease/store.h"
#include "lease/text.h"

namespace lease {

struct Registry {
  std::unique_ptr<Store> store;
  Peering* peering = nullptr;  // lives as long as the store; null on a host alone
  text::Ways ways{};           // the addresses from which flows leave; empty on a host alone

  // A host alone serves, knows all leases, and has no other node to tell.
  bool serves() const { return !peering || peering->serves(); }
  bool is_whole() const { return !peering || peering->is_whole(); }
  void tell_changes() {
    if (peering) peering->tell_changes();
  }
};

}  // namespace lease
