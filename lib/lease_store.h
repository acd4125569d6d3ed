// lease_store: the leases on record, behind one interface: this host's own spool,
// or, on the nodes of a cluster, that and what they have in common (lease_shared.h).
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
#include "config.h"
#include "fd.h"
#include "lease.h"
#include "lease_text.h"

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

  // On record with the ports it says, which must be free: else nothing, and false.
  virtual bool adopt(const Lease& lease) = 0;

  // On record, new or in place of the one of that id.
  virtual void put(const Lease& lease) = 0;
  virtual std::optional<Lease> get(const std::string& id) = 0;
  // Off the record, and its ports free. Rule and flows are gone already. `over`: since
  // its time was over here, and not because somebody asked for it.
  enum class End { over, asked };
  virtual void remove(const Lease& lease, End why) = 0;

  // Lease::owner.
  virtual std::vector<Lease> of(const std::string& owner) = 0;
  virtual std::size_t count_of(const std::string& owner) = 0;

  virtual std::vector<Lease> all() = 0;
  virtual std::size_t count() = 0;
  // Those whose deadline is over, or that are ending.
  virtual std::vector<Lease> due(std::chrono::seconds now) = 0;

  // Removes what somebody who died left half done; the caller holds the lock.
  virtual void tidy() = 0;

  // What follows is for leases that several hosts have in common; a host alone is
  // as it says here.

  virtual bool shares() const { return false; }
  // Whether this host lays leases and ends them; on others there are none.
  virtual bool serves() const { return true; }
  // Whether all that the others knew is known here; else a flow without a lease may
  // be of one that we have not heard of.
  virtual bool is_whole() const { return true; }
  // Whether it would be good to exchange() now. Bounded, quick.
  virtual bool is_behind() { return false; }
  // Fetches what can be had at once, of whatever is near. Where it cannot, nothing
  // happens.
  virtual void fetch() {}
  // Fetches those that are not known here, and tells of those that are not known
  // there. What fails is logged, and is_whole() then says no until it succeeds.
  virtual void exchange() {}
  // Tells the others what was changed, now or, if that cannot be, later.
  virtual void settle() {}
  // They go on elsewhere: forgotten here, and here alone.
  virtual void forget() {}
  // By whose addresses flows leave.
  virtual lease_text::Ways ways() const { return {}; }
};

namespace lease_store {

// The store of this host, by what it is (lease_role.h); aspera.conf is read only on
// the nodes of a cluster. Makes the directories; spool::prepare() comes first.
// Failure{78}.
std::unique_ptr<LeaseStore> open();
// The same by `config` alone.
std::unique_ptr<LeaseStore> open(const config::Config& config);
// The spool of this host, whatever else there is.
std::unique_ptr<LeaseStore> spool();

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
