// lease/local: the leases on record on this host.
//
//   /run/sallyport/leases/UUID             a Lease record; its modification time
//                                          is its deadline, in seconds since boot
//   /run/sallyport/lease_owners/OWNER/UUID the leases of an owner
//   /run/sallyport/lease_ports/5000        whose port that is: a link to UUID
//   /run/sallyport/lease_ports/next        a link to the port to try next
//
// All of it belongs to root. Opening, renewing, closing and counting cost the same
// with 10,000 leases as with none. Every failure is Failure{71}.
#pragma once

#include <cstddef>
#include <memory>

#include "lease/store.h"

namespace lease::local {

// The store, with an addition for lease/shared.
class Spool : public Store {
 public:
  // Puts the lease on record with its ports, which must be free; otherwise does nothing and returns false.
  virtual bool adopt(const Lease& lease) = 0;
};

// Makes the directories; session::spool::prepare() comes first.
std::unique_ptr<Spool> open();

// The number of leases. Needs no directories.
std::size_t count();

}  // namespace lease::local
