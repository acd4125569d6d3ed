// lease_store: the leases on record, behind one interface: this host's own
// spool today, something that several hosts share tomorrow.
//
//   /run/sallyport/leases/UUID             a Lease record; its modification time
//                                          is its deadline, in seconds since boot
//   /run/sallyport/lease_owners/OWNER/UUID which leases an owner has
//   /run/sallyport/lease_ports/5000        whose port that is: a link to UUID
//   /run/sallyport/lease_ports/next        a link to the port to try next
//   /run/sallyport/lease_lock              see LeaseLock
//
// All of it belongs to root. What opens, renews, closes and counts costs the same
// with 10,000 leases as with none. Every failure is Failure{71}.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "address.h"
#include "fd.h"
#include "lease.h"

class LeaseStore {
 public:
  virtual ~LeaseStore() = default;

  // Takes `count` ports that follow each other, out of `range`, for lease `id`:
  // those after the ones taken last, so that a port rests as long as possible.
  // Passes over those that `usable` says no to. The first of them; absent when
  // there are none. Atomic among all that share the store.
  using Usable = std::function<bool(Port first)>;
  virtual std::optional<Port> take_ports(const std::string& id, const PortRange& range, int count, const Usable& usable) = 0;
  // Gives back those of a lease that was never put on record.
  virtual void give_back(const std::string& id, Port first, int count) = 0;

  // On record, new or in place of the one of that id.
  virtual void put(const Lease& lease) = 0;
  virtual std::optional<Lease> get(const std::string& id) = 0;
  // Off the record, and its ports free. Rule and flows are gone already.
  virtual void remove(const Lease& lease) = 0;

  // Lease::owner.
  virtual std::vector<Lease> of(const std::string& owner) = 0;
  virtual std::size_t count_of(const std::string& owner) = 0;

  virtual std::vector<Lease> all() = 0;
  virtual std::size_t count() = 0;
  // Those whose deadline is over, or that are ending.
  virtual std::vector<Lease> due(std::chrono::seconds now) = 0;

  // Removes what somebody who died left half done; the caller holds the lock.
  virtual void tidy() = 0;
};

namespace lease_store {

// The spool of this host. Makes the directories; spool::prepare() comes first.
std::unique_ptr<LeaseStore> open();

// How many leases are on record here. Needs no directories.
std::size_t count();

}  // namespace lease_store

// Held while leases of this host are changed, on record and in the kernel; not
// together with a spool::FirewallLock. Waits at most 10 s (Failure{75}).
class LeaseLock {
 public:
  LeaseLock();

 private:
  Fd lock_;
};
