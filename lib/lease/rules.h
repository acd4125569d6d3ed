// lease/rules: puts lease/text in force, within this process (kernel/nft.h). Needs root.
// The caller holds a Lock. Failure{71}.
#pragma once

#include <cstddef>
#include <vector>

#include "lease/lease.h"
#include "lease/registry.h"

namespace lease::rules {

// What one transaction does.
struct Change {
  std::vector<Lease> opened;  // on record already
  std::vector<Lease> renewed;
  std::vector<Lease> closed;  // on record still, as ending
};

// All of it, or nothing. When the kernel refuses, since somebody took our table
// away or changed it, everything is made as the records say: then true.
bool apply(const Change& change, Registry& registry);

// Compares what is in force with `leases`, all on record that are not ending, and
// mends the difference; the base too, which is laid only where there are leases.
struct Mended {
  std::size_t laid = 0;     // leases that had lost an element, or its time-out
  std::size_t removed = 0;  // elements without a lease
  bool base = false;        // the base was missing or damaged
};
Mended reconcile(const std::vector<Lease>& leases, const text::Ways& ways);

// Puts the base in force.
void lay_base(const text::Ways& ways);
// Base and mappings of these, and of no others, in one transaction, without a look
// at what there was.
void lay(const std::vector<Lease>& leases, const text::Ways& ways);

// Removes all of it; false when there was nothing.
bool purge();

}  // namespace lease::rules
