// balance/statement: what a node of a cluster tells the others of a mark, as text. Pure.
// balance/shared takes it to Redis and from there, and Redis is not believed.
//
//   host=10.0.0.10:22            healed=85944171f73967e8
//   state=faulty                 node=dmz2
//   since=2026-11-22T15:04:05Z
//   reason=connect: refused
//   by=3a9fd819-…
//   seconds=115
//   node=dmz2
//
// A mark lasts for a duration, never until a time: the clocks of two nodes have nothing
// in common. `now` is boot_clock::seconds().
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "balance/types.h"

namespace balance::statement {

// How long a mark that others set may last.
constexpr std::chrono::seconds kLongest{30L * 86400};
// How long Redis keeps a mark beyond its time, so that it is over everywhere before it is
// gone.
constexpr std::chrono::seconds kKeptBeyondEnd{5};

// The id of a marking, which is the same on all nodes. `by` is a session or an administrator.
std::string id_of(const Mark& mark);

// True for the name of a shared mark. It comes from Redis, and is to become a file name.
bool is_name(const std::string& text);

std::string marked(const Mark& mark, const std::string& node, std::chrono::seconds now);
// How long Redis is to keep that; absent: until somebody heals the server.
std::optional<std::chrono::seconds> kept(const Mark& mark, std::chrono::seconds now);
std::string healed(const std::string& id, const std::string& node);

// A node's statement about a name.
struct Statement {
  std::optional<Mark> mark;
  std::string healed;  // the id of a mark
  std::string node;
};
// Parses a node's statement about the mark `name`, which Redis keeps for another `left`.
// Absent: the text has another form, or is about another mark.
std::optional<Statement> parse(const std::string& name, const std::string& text, std::chrono::milliseconds left,
                               std::chrono::seconds now);

}  // namespace balance::statement
