// job: one request, from the packet to its answers. What it asks for is verified
// here; asp-lease(8), REQUESTS.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/resolve.h"
#include "channel.h"
#include "connection.h"
#include "lease/lease.h"
#include "refusal.h"
#include "settings.h"

struct Job {
  enum class Kind { open, renew, close, show, list, sweep, count };
  enum class State {
    waiting,   // for the resolver
    ready,     // verified: to be done
    answered,  // nothing is left to do but to send the answers
  };

  Kind kind = Kind::count;
  State state = State::ready;
  std::chrono::steady_clock::time_point came = std::chrono::steady_clock::now();
  std::string tag;    // what the answers are to bear; empty: none
  std::string owner;  // who asks, as Lease::owner
  bool admin = false;
  Lease lease;  // open: what he shall have, without ports; of the others, the id alone
  std::optional<resolve::Lookup> lookup;
  std::vector<Record> answers;

  // Whether he may see, renew and end `other`.
  bool may_touch(const Lease& other) const { return admin || other.owner() == owner; }

  void answer(Record record);
  void answer(const Lease& lease);
  void refuse(const Refusal& refusal);
  // What the resolver has said meanwhile, if the job waits for it.
  void look();
};

namespace job {

// Never throws but for our own faults: what is wrong with a request is its answer.
Job make(const channel::Packet& packet, Settings& settings, const std::vector<Network>& own);

}  // namespace job
