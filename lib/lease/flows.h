// lease/flows: finds and ends the kernel's flows that go through leases.
#pragma once

#include <map>
#include <tuple>
#include <vector>

#include "kernel/conntrack.h"
#include "lease/lease.h"

namespace lease::flows {

// True if a lease's rule took this flow, by its mark: then it is no session's.
bool is_marked(const conntrack::Flow& flow);

// True if `flow` goes, or is to go, through `lease`, whatever its mark: from its client, to one of its
// ports. Pure.
bool belongs(const Lease& lease, const conntrack::Flow& flow);

// Finds the lease of a flow among many. Pure. `leases` outlive it.
class Index {
 public:
  explicit Index(const std::vector<Lease>& leases);
  // Null: it belongs to none of them.
  const Lease* of(const conntrack::Flow& flow) const;

 private:
  std::map<std::tuple<IpAddress, IpAddress, Port>, const Lease*> by_port_;
};

// All current flows that go through a lease, whoever has it.
std::vector<conntrack::Flow> all();

struct Traffic {
  conntrack::Counters counters;
  bool counted = false;  // false: the kernel does not count (nf_conntrack_acct), or there is no flow
  std::size_t flows = 0;

  void add(const conntrack::Flow& flow);
};

// Ends all flows of `leases`. Returns what they carried, by lease id. Needs root; Failure{71}. It
// always takes 10 ms and more, since the kernel walks its whole table.
std::map<std::string, Traffic> end(const std::vector<Lease>& leases);

// Ends flows that began before the rule of their lease: they are not translated, and never would be.
// Returns how many. The same conditions; flows of other leases make it slower, too.
std::size_t end_early(const std::vector<Lease>& leases);

}  // namespace lease::flows
