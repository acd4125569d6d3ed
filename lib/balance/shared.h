// balance/shared: what the nodes of a cluster tell each other of servers, through its
// Redis; for balance alone.
//
//   sallyport:turn:DIGEST   how many turns a list of hosts has given
//   sallyport:mark:NAME     a statement about the mark of that file (balance/statement.h)
//   sallyport:marks         the names that exist
//
// Each node uses the marks in its own spool, and brings the relevant ones up to
// date before: it takes over what others have written, removes what others have
// healed, and writes again what Redis has forgotten, or has not heard of. So a Redis that is
// away, empty after a restart, or behind after a failover, costs nothing but the news.
//
// A mark lasts for a duration on each node, never until a time: the clocks of two
// nodes have nothing in common. Redis forgets marks by its own clock. If that
// jumps, Redis can forget what nodes still know, or keep what they know to be over;
// neither makes a mark begin anew where it is known.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "balance/types.h"

namespace config {
struct Cluster;
}

namespace balance::shared {

// Begins sharing; does nothing if the cluster is not enabled, or has no Redis.
void begin(const config::Cluster& cluster, Haste haste);
void end();
bool is_on();
// The reason why something was not shared; empty: everything was.
const std::string& failure();

// Updates the marks of these names: afterwards the spool is as the cluster knows it, if Redis answers.
// In the same round trip it takes the next turn of `turn_key`, if that is not empty. Absent: no turn,
// or Redis is away.
std::optional<unsigned long> update(const std::vector<std::string>& names, const std::string& turn_key, Turn turn);
// Updates all marks, of this node and of Redis.
void update_all();

// Tells the others of a mark of ours that is new, or was removed.
void tell(const Mark& mark);
void tell_healed(const Mark& mark);

}  // namespace balance::shared
