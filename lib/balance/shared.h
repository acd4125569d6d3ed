// balance/shared: what the nodes of a cluster tell each other of servers, through its
// Redis; for balance alone.
//
//   sallyport:turn:DIGEST   how many turns a list of hosts has given
//   sallyport:mark:NAME     a mark, under the name of its file, as a record: without
//                           "until", with "seconds" (how long it is to last from now) and
//                           "node"; or "healed=ID", the mark that was taken away
//   sallyport:marks         the names there are
//
// Each node goes by the marks in its own spool, and brings those that matter up to
// date before it does: it takes over what others have said, takes away what others have
// healed, and says again what Redis has forgotten, or has not heard of. So a Redis that is away, empty
// after a restart, or behind after a failover, costs nothing but the news.
//
// A mark lasts for a duration here and there, never until a time: the clocks of two
// nodes have nothing in common. Redis forgets marks by its own clock; one that
// jumps can make it forget what others still know, or keep what they know to be over;
// neither lets a mark begin anew where it is known.
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

// From here on; nothing if the cluster is not enabled, or has no Redis.
void begin(const config::Cluster& cluster, Haste haste);
void end();
bool is_on();
// Why something was not shared; empty: everything was.
const std::string& failure();

// Marks of these names: after it the spool is as the cluster knows it, if Redis answers.
// In the same breath the next turn of `turn_key`, if that is not empty. Absent: no
// turn, or Redis is away.
std::optional<unsigned long> update(const std::vector<std::string>& names, const std::string& turn_key, Turn turn);
// All there are, here and there.
void update_all();

// A mark of ours is new, or is no more.
void tell(const Mark& mark);
void tell_healed(const Mark& mark);

}  // namespace balance::shared
