// lease/flows: the kernel's flows that go through leases: found, and ended.
#pragma once

#include <map>
#include <tuple>
#include <vector>

#include "kernel/conntrack.h"
#include "lease/lease.h"

namespace lease::flows {

// Whether a lease's rule took this flow, by its mark: then it is no session's.
bool is_marked(const conntrack::Flow& flow);

// Whether `flow` goes, or wants to go, through `lease`, whatever its mark: from
// its client, to one of its ports. Pure.
bool belongs(const Lease& lease, const conntrack::Flow& flow);

// The same for many. Pure. `leases` outlive it.
class Index {
 public:
  explicit Index(const std::vector<Lease>& leases);
  // Null: of none of them.
  const Lease* of(const conntrack::Flow& flow) const;

 private:
  std::map<std::tuple<IpAddress, IpAddress, Port>, const Lease*> by_port_;
};

// All that go through a lease, whoever's, now.
std::vector<conntrack::Flow> all();

struct Traffic {
  conntrack::Counters counters;
  bool counted = false;  // false: the kernel does not count (nf_conntrack_acct), or there is no flow
  std::size_t flows = 0;

  void add(const conntrack::Flow& flow);
};

// Ends all flows of `leases`. What they carried, by lease id. Needs root;
// Failure{71}. Takes 10 ms and more, whatever there is: the kernel looks through
// all of its table.
std::map<std::string, Traffic> end(const std::vector<Lease>& leases);

// Ends those that began before the rule of their lease: they are not translated,
// and never would be. How many. As above; what is not of `leases` costs, too.
std::size_t end_early(const std::vector<Lease>& leases);

}  // namespace lease::flows
