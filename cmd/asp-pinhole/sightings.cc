#include "sightings.h"

#include <algorithm>

#include "kernel/connmark.h"

namespace {

using conntrack::Flow;
using conntrack::Table;

constexpr std::size_t kMaxRemembered = 64;  // flows

bool same_ends(const Flow& one, const Flow& other) { return one.client == other.client && one.proxy == other.proxy; }

}  // namespace

// Events are subscribed to before the table is read, so that no flow is missed in between.
Sightings::Sightings(const IpAddress& client)
    : client_(client),
      watch_(client),
      first_look_(std::async(std::launch::async, [client] { return Table().list(client, 0); })),
      complete_(conntrack::has_events()) {}

conntrack::Watch::News Sightings::read() {
  auto news = watch_.read();
  complete_ = complete_ && !news.lost;
  return news;
}

void Sightings::before_rule() { waiting_ = read().flows; }

Sightings::Early Sightings::after_rule() {
  Early early;
  early.old = first_look_.get();
  early.fresh = read().flows;
  watch_.narrow(client_, connmark::kSuite);
  if (!complete_) return {Table().list(client_, 0), {}};
  early.old.insert(early.old.end(), waiting_.begin(), waiting_.end());
  return early;
}

std::vector<Flow> Sightings::news() {
  auto news = read();
  return news.lost ? present() : news.flows;
}

void Sightings::remember(const Flow& flow) {
  if (std::any_of(remembered_.begin(), remembered_.end(), [&](const Flow& other) { return same_ends(flow, other); }))
    return;
  complete_ = complete_ && remembered_.size() < kMaxRemembered;
  if (complete_) remembered_.push_back(flow);
}

std::vector<Flow> Sightings::present() const {
  const Table table;
  if (!complete_ || !conntrack::has_events()) return table.list(client_, connmark::kSuite);
  std::vector<Flow> flows;
  for (const auto& flow : remembered_) {
    const auto now = table.find(flow.client, flow.proxy);
    if (now && (now->mark & connmark::kSuite) != 0) flows.push_back(*now);
  }
  return flows;
}
