// lease/peering: this node's dealings with the leases of other nodes of its cluster;
// sallyport-cluster(7), LEASES. A host alone has no Peering.
#pragma once

namespace lease {

class Peering {
 public:
  virtual ~Peering() = default;

  // True if this node lays and ends leases; the other nodes have none. Failure{71}.
  virtual bool serves() const = 0;
  // True if everything that the others knew is known here; otherwise a flow without a lease may belong to one
  // that we have not heard of. Failure{71}.
  virtual bool is_whole() const = 0;
  // True if it is time to exchange(). Bounded, quick.
  virtual bool is_behind() = 0;

  // Fetches what the nearest server has at once. Does nothing where that is not possible.
  virtual void fetch() = 0;
  // Fetches leases that are not known here, and tells of those that are not known there. Failures are logged;
  // is_whole() then returns false until it succeeds.
  virtual void exchange() = 0;
  // Tells the others of changes, now or, if that is not possible, later.
  virtual void tell_changes() = 0;
  // Forgets the leases here, and only here: they go on elsewhere.
  virtual void forget() = 0;
};

}  // namespace lease
