// lease/store: the leases on record, behind one interface: those of this host (lease/local.h) or, on
// the nodes of a cluster, also those that Redis knows of (lease/shared.h). Every failure is
// Failure{71}, and {75} where Redis is needed.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "lease/lease.h"

namespace lease {

class Store {
 public:
  virtual ~Store() = default;

  // Takes `count` consecutive ports out of `range` for lease `id`: those after the ones taken last, so that a
  // port rests as long as possible. It skips ports that `usable` refuses. Returns the first; absent when there
  // are none. Atomic among all that share the store.
  using Usable = std::function<bool(Port first)>;
  virtual std::optional<Port> take_ports(const std::string& id, const PortRange& range, int count,
                                         const Usable& usable) = 0;
  // Gives back the ports of a lease that was never put on record.
  virtual void give_back(const std::string& id, Port first, int count) = 0;

  // Puts it on record, new or in place of the one of that id.
  virtual void put(const Lease& lease) = 0;
  virtual std::optional<Lease> get(const std::string& id) = 0;
  // Removes the record, and frees its ports. Rule and flows are gone already. `over`: its time was over here,
  // and nobody asked for its end.
  enum class End { over, asked };
  virtual void remove(const Lease& lease, End why) = 0;

  // `owner` is Lease::owner.
  virtual std::vector<Lease> of(const std::string& owner) = 0;
  virtual std::size_t count_of(const std::string& owner) = 0;

  virtual std::vector<Lease> all() = 0;
  virtual std::size_t count() = 0;
  // The leases whose deadline is over, or that are ending.
  virtual std::vector<Lease> due(std::chrono::seconds now) = 0;

  // Removes what a dead process left half done; the caller holds the lock.
  virtual void tidy() = 0;
};

}  // namespace lease
