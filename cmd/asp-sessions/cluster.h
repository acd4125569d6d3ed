// cluster: the sessions of all nodes of a cluster. Each node puts its list into the
// cluster's Redis once a minute (asp-reap), for whoever asks:
//
//   sallyport:sessions:NODE   records: "sessions=N", then for each session its own
//                             (session/session.h) and what was counted
//
// A list that is not renewed is forgotten after kKept.
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

constexpr std::chrono::seconds kKept{150};
constexpr std::size_t kMaxView = 1 << 20;  // bytes of one list

struct View {
  std::string node;
  std::optional<std::chrono::seconds> seen;  // ago; absent: this is how it is now
  std::vector<Row> rows;
  std::size_t sessions = 0;  // there were: more than rows if the list was too long
};
struct ClusterView {
  std::vector<View> views;
  std::vector<std::string> missing;  // "dmz2: it has told nothing for 150 s"
};

// Of as many sessions as kMaxView holds. Pure.
std::string view_text(const std::vector<Row>& rows);
// What that wrote, as it was `seen` ago: ages are those of now. Failure{65}. Pure.
View parse_view(const std::string& node, std::string_view text, std::chrono::seconds seen);

// Whether there is a cluster that can tell; else Failure{78}.
void require_shared(const config::Cluster& cluster);

// Failure{75} when Redis is away.
void publish(const config::Cluster& cluster, const std::string& node, const std::vector<Row>& rows);
// What all nodes but this one have told. Never fails because of Redis: then nobody is
// known, and `missing` says so.
ClusterView views_of_others(const config::Cluster& cluster, const std::string& node);

}  // namespace sessions
