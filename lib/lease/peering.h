// lease/peering: what this node of a cluster has to do with the leases of the others;
// sallyport-cluster(7), LEASES. A host alone has no such thing.
#pragma once

namespace lease {

class Peering {
 public:
  virtual ~Peering() = default;

  // Whether this node lays leases and ends them; on the others there are none.
  // Failure{71}.
  virtual bool serves() const = 0;
  // Whether all that the others knew is known here; else a flow without a lease may
  // be of one that we have not heard of. Failure{71}.
  virtual bool is_whole() const = 0;
  // Whether it would be good to exchange() now. Bounded, quick.
  virtual bool is_behind() = 0;

  // Fetches what can be had at once, of whatever is near. Where it cannot, nothing
  // happens.
  virtual void fetch() = 0;
  // Fetches those that are not known here, and tells of those that are not known
  // there. What fails is logged, and is_whole() then says no until it succeeds.
  virtual void exchange() = 0;
  // Tells the others what was changed, now or, if that cannot be, later.
  virtual void tell_changes() = 0;
  // The leases go on elsewhere: forgotten here, and here alone.
  virtual void forget() = 0;
};

}  // namespace lease
