// cluster: the sessions of all nodes of a cluster. Once a minute each node puts its list
// into the cluster's Redis (asp-reap), for other nodes to read:
//
//   sallyport:sessions:NODE   records: "sessions=N", then for each session its own
//                             (session/session.h) and its counters
//
// A list that is not renewed is forgotten after kListKept.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "ledger.h"

namespace sessions {

constexpr std::chrono::seconds kListKept{150};
constexpr std::size_t kMaxView = 1 << 20;  // bytes of one list

struct View {
  std::string node;
  std::optional<std::chrono::seconds> seen;  // how long ago; absent: it is current
  std::vector<Row> rows;
  std::size_t sessions = 0;  // total number: more than rows if the list was too long
};
struct ClusterView {
  std::vector<View> views;
  std::vector<std::string> missing;  // "dmz2: it has reported nothing for 150 s"
};

// The list, with as many sessions as kMaxView holds. Pure.
std::string view_text(const std::vector<Row>& rows);
// Parses a list that was written `seen` ago; ages become current ones. Failure{65}. Pure.
View parse_view(const std::string& node, std::string_view text, std::chrono::seconds seen);

// Failure{78} unless there is a cluster with Redis.
void require_shared(const config::Cluster& cluster);

// Failure{75} when Redis is away.
void publish(const config::Cluster& cluster, const std::string& node, const std::vector<Row>& rows);
// The lists of all other nodes. It never fails because of Redis: then no list is known, and `missing`
// says so.
ClusterView views_of_others(const config::Cluster& cluster, const std::string& node);

}  // namespace sessions
