// ledger: how much each living session has carried so far, from the records and one list of the
// kernel's flows. Pure.
//
// A flow belongs to the sessions whose records name it; several rivals may. A flow that no record
// names belongs to the session whose rule took it: the oldest of those whose open rule leads there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <vector>

#include "kernel/conntrack.h"
#include "session/session.h"

namespace sessions {

enum class State {
  open,       // its rule is in force, no flow yet
  pinned,     // its rule is narrowed to its flow
  flow,       // it has its first flow, but filters no source port
  lingering,  // its SSH session is over, its flow goes on
};
constexpr State kStates[] = {State::open, State::pinned, State::flow, State::lingering};
const char* name_of(State state);
State state_of(const session::Session& session);

struct Traffic {
  conntrack::Counters to_server;
  conntrack::Counters to_client;
  bool counted = true;  // false: the kernel does not count (nf_conntrack_acct)

  void add(const conntrack::Flow& flow);
};

// Bits a second.
struct Rate {
  double to_server = 0;
  double to_client = 0;
};

struct Row {
  session::Session session;
  double age = 0;         // seconds
  std::size_t flows = 0;  // that the kernel knows now
  Traffic traffic;        // of all its flows
  Traffic credited;       // of flows that no older session shares: these can be added up
  bool shared = false;    // another session names one of its flows too
  std::optional<Rate> rate;
};

struct Clock {
  std::int64_t monotonic = 0;  // nanoseconds, as Session::opened
  std::time_t wall = 0;
};
Clock clock_now();

// Sorted by start. The cost grows with sessions plus flows, not with their product (except for
// sessions of one client that have no flow yet).
std::vector<Row> ledger(std::vector<session::Session> living, const std::vector<conntrack::Flow>& flows,
                        const Clock& now);

// The client's end of its flow; the end of its SSH connection as long as it has no flow.
Endpoint client_end(const session::Session& session);
Endpoint server_end(const session::Session& session);

// Computes the rates from what the same sessions had carried `seconds` before.
void add_rates(std::vector<Row>& rows, const std::vector<Row>& before, double seconds);

}  // namespace sessions
