#include "sightings.h"

#include <algorithm>

#include "kernel/connmark.h"

namespace {

using conntrack::Flow;
using conntrack::Table;

constexpr int kMostReads = 64;                // another rule of the client's may take new flows all the while
constexpr std::size_t kMaxRemembered = 1024;  // flows

std::vector<Flow> flows_of(const conntrack::Watch::News& news) {
  std::vector<Flow> flows = news.begun;
  flows.insert(flows.end(), news.answered.begin(), news.answered.end());
  return flows;
}

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

void Sightings::before_rule() { waiting_ = read().begun; }

Sightings::Early Sightings::after_rule() {
  Early early;
  early.old = first_look_.get();
  early.fresh = read().begun;
  watch_.narrow(client_, connmark::kSuite);
  if (!complete_) return {Table().list(client_, 0), {}};
  early.old.insert(early.old.end(), waiting_.begin(), waiting_.end());
  return early;
}

std::vector<Flow> Sightings::news() {
  const auto news = read();
  return news.lost ? present() : flows_of(news);
}

std::vector<Flow> Sightings::last_news() {
  std::vector<Flow> flows;
  bool more = true;
  for (int reads = 0; more && reads < kMostReads; ++reads) {
    const auto news = read();
    const auto some = flows_of(news);
    flows.insert(flows.end(), some.begin(), some.end());
    more = news.more;
  }
  complete_ = complete_ && !more;
  return complete_ ? flows : present();
}

void Sightings::remember(const Flow& flow) {
  if (std::any_of(remembered_.begin(), remembered_.end(), [&](const Flow& other) { return same_ends(flow, other); }))
    return;
  complete_ = complete_ && remembered_.size() < kMaxRemembered;
  if (complete_) remembered_.push_back(flow);
}

void Sightings::forget(const Flow& flow) {
  std::erase_if(remembered_, [&](const Flow& other) { return same_ends(flow, other); });
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
