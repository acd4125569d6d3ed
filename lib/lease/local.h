// lease/local: the leases on record on this host.
//
//   /run/sallyport/leases/UUID             a Lease record; its modification time
//                                          is its deadline, in seconds since boot
//   /run/sallyport/lease_owners/OWNER/UUID which leases an owner has
//   /run/sallyport/lease_ports/5000        whose port that is: a link to UUID
//   /run/sallyport/lease_ports/next        a link to the port to try next
//
// All of it belongs to root. What opens, renews, closes and counts costs the same
// with 10,000 leases as with none. Every failure is Failure{71}.
#pragma once

#include <cstddef>
#include <memory>

#include "lease/store.h"

namespace lease::local {

// The store, and what only lease/shared does with it.
class Spool : public Store {
 public:
  // On record with the ports it says, which must be free: else nothing, and false.
  virtual bool adopt(const Lease& lease) = 0;
};

// Makes the directories; session::spool::prepare() comes first.
std::unique_ptr<Spool> open();

// How many there are. Needs no directories.
std::size_t count();

}  // namespace lease::local
