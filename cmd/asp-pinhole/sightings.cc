#include "sightings.h"

#include <algorithm>

#include "firewall_text.h"

namespace {

using conntrack::Flow;
using conntrack::Table;

constexpr std::size_t kMost = 64;  // to be remembered

bool same_ends(const Flow& one, const Flow& other) { return one.client == other.client && one.proxy == other.proxy; }

}  // namespace

// The events are asked for before the look begins, so that nothing falls between.
Sightings::Sightings(const IpAddress& client)
    : client_(client),
      watch_(client),
      first_look_(std::async(std::launch::async, [client] { return Table().list(client, 0); })),
      complete_(conntrack::has_events()) {}

Sightings::Early Sightings::early() {
  Early early;
  early.old = first_look_.get();
  auto news = watch_.read();
  watch_.narrow(client_, firewall_text::kMark);
  complete_ = complete_ && !news.lost;
  if (complete_) early.fresh = std::move(news.flows);
  else early.old = Table().list(client_, 0);
  return early;
}

std::vector<Flow> Sightings::news() {
  auto news = watch_.read();
  complete_ = complete_ && !news.lost;
  return news.lost ? present() : news.flows;
}

void Sightings::remember(const Flow& flow) {
  if (std::any_of(remembered_.begin(), remembered_.end(), [&](const Flow& other) { return same_ends(flow, other); })) return;
  complete_ = complete_ && remembered_.size() < kMost;
  if (complete_) remembered_.push_back(flow);
}

std::vector<Flow> Sightings::present() const {
  const Table table;
  if (!complete_ || !conntrack::has_events()) return table.list(client_, firewall_text::kMark);
  std::vector<Flow> flows;
  for (const auto& flow : remembered_) {
    const auto now = table.find(flow.client, flow.proxy);
    if (now && (now->mark & firewall_text::kMark) != 0) flows.push_back(*now);
  }
  return flows;
}
