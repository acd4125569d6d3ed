// lease/rules: puts lease/text in force, within this process (kernel/nft.h). Needs root.
// The caller holds a Lock. Failure{71}.
#pragma once

#include <cstddef>
#include <vector>

#include "lease/lease.h"
#include "lease/registry.h"

namespace lease::rules {

// The changes of one transaction.
struct Change {
  std::vector<Lease> opened;  // on record already
  std::vector<Lease> renewed;
  std::vector<Lease> closed;  // still on record, as ending
};

// Applies all of it, or nothing. When the kernel refuses, since somebody removed or changed our table,
// everything is laid as the records say: then it returns true.
bool apply(const Change& change, Registry& registry);

// Compares what is in force with `leases`, all on record that are not ending, and corrects the
// difference; the base, too, which is laid only where there are leases.
struct Mended {
  std::size_t laid = 0;     // leases that had lost an element, or its time-out
  std::size_t removed = 0;  // elements without a lease
  bool base = false;        // the base was missing or damaged
};
Mended reconcile(const std::vector<Lease>& leases, const text::Ways& ways);

// Puts the base in force.
void lay_base(const text::Ways& ways);
// Lays the base and the mappings of these leases, and of no others, in one transaction, without
// reading what was there.
void lay(const std::vector<Lease>& leases, const text::Ways& ways);

// Removes everything; false when there was nothing.
bool purge();

}  // namespace lease::rules
