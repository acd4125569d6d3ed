// job: one request, from the packet to its answers. It is verified here; asp-lease(8), REQUESTS.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/resolve.h"
#include "channel.h"
#include "config/destination_policy.h"
#include "connection.h"
#include "lease/lease.h"
#include "refusal.h"
#include "settings.h"

struct Job {
  enum class Kind { open, renew, close, show, list, sweep, count };
  enum class State {
    waiting,   // for the resolver
    ready,     // verified: to be carried out
    answered,  // the answers only have to be sent
  };

  Kind kind = Kind::count;
  State state = State::ready;
  std::chrono::steady_clock::time_point came = std::chrono::steady_clock::now();
  std::string tag;    // the tag of the answers; empty: none
  std::string owner;  // the owner of the request, as Lease::owner
  bool admin = false;
  lease::Lease lease;  // of an open: the lease to give, without ports; of others, only the id
  std::optional<resolve::Lookup> lookup;
  std::vector<Record> answers;

  // True if the requester may see, renew and close `other`.
  bool may_touch(const lease::Lease& other) const { return admin || other.owner() == owner; }

  void answer(Record record);
  void answer(const lease::Lease& lease);
  void refuse(const Refusal& refusal);
  // Takes the resolver's answer, if the job waits for one and it is there.
  void take_answer();
};

namespace job {

// Throws only for faults of ours: whatever is wrong with a request becomes its answer.
Job make(const channel::Packet& packet, Settings& settings, const config::destination::Surroundings& here);

}  // namespace job
