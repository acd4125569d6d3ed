#include "ledger.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "firewall/flows.h"

namespace sessions {
namespace {

void add(conntrack::Counters& sum, const conntrack::Counters& more) {
  sum.packets += more.packets;
  sum.bytes += more.bytes;
}

double age_of(const session::Session& session, const Clock& now) {
  if (session.opened > 0) return std::max(0.0, static_cast<double>(now.monotonic - session.opened) / 1e9);
  std::tm utc{};
  if (!::strptime(session.started.c_str(), "%Y-%m-%dT%H:%M:%SZ", &utc)) return 0;
  return std::max(0.0, ::difftime(now.wall, ::timegm(&utc)));
}

// The rate since then. A flow that ended meanwhile takes its count along; a count that has shrunk is a
// rate of 0.
double bits_since(const conntrack::Counters& now, const conntrack::Counters& before, double seconds) {
  return now.bytes > before.bytes ? 8.0 * static_cast<double>(now.bytes - before.bytes) / seconds : 0;
}

// Finds the sessions that a flow may belong to without looking at all of them.
class Index {
 public:
  explicit Index(std::vector<Row>& rows) {
    for (auto& row : rows) {
      const session::Session& session = row.session;
      if (session.flow) named_[{session.flow->client, session.flow->server}].push_back(&row);
      if (!session.pinned()) open_[{session.client.ip, session.proxy.ip}].push_back(&row);
    }
  }

  // Oldest first.
  std::vector<Row*> of(const conntrack::Flow& flow) const {
    std::vector<Row*> found;
    if (const auto at = named_.find({flow.client, flow.server}); at != named_.end()) {
      for (Row* row : at->second) {
        if (firewall::flows::belongs(row->session, flow)) found.push_back(row);
      }
    }
    if (!found.empty()) return found;
    if (const auto at = open_.find({flow.client.ip, flow.proxy.ip}); at != open_.end()) {
      const auto taker = std::find_if(at->second.begin(), at->second.end(),
                                      [&](const Row* row) { return firewall::flows::belongs(row->session, flow); });
      if (taker != at->second.end()) found.push_back(*taker);
    }
    return found;
  }

 private:
  std::map<std::pair<Endpoint, Endpoint>, std::vector<Row*>> named_;   // client, server
  std::map<std::pair<IpAddress, IpAddress>, std::vector<Row*>> open_;  // client, proxy
};

}  // namespace

const char* name_of(State state) {
  switch (state) {
    case State::open: return "open";
    case State::pinned: return "pinned";
    case State::flow: return "flow";
    case State::lingering: return "lingering";
  }
  return "";
}

State state_of(const session::Session& session) {
  if (session.lingering) return State::lingering;
  if (!session.flow) return State::open;
  return session.pinned() ? State::pinned : State::flow;
}

void Traffic::add(const conntrack::Flow& flow) {
  counted = counted && flow.counters;
  sessions::add(to_server, flow.to_server);
  sessions::add(to_client, flow.to_client);
}

Clock clock_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return {now.tv_sec * 1'000'000'000LL + now.tv_nsec, std::time(nullptr)};
}

std::vector<Row> ledger(std::vector<session::Session> living, const std::vector<conntrack::Flow>& flows,
                        const Clock& now) {
  std::sort(living.begin(), living.end(), [](const session::Session& one, const session::Session& other) {
    return std::tie(one.started, one.opened, one.id) < std::tie(other.started, other.opened, other.id);
  });
  std::vector<Row> rows;
  rows.reserve(living.size());
  for (auto& session : living) {
    Row row;
    row.age = age_of(session, now);
    row.session = std::move(session);
    rows.push_back(std::move(row));
  }
  const Index index(rows);
  for (const auto& flow : flows) {
    const auto owners = index.of(flow);
    for (Row* owner : owners) {
      ++owner->flows;
      owner->traffic.add(flow);
      owner->shared = owner->shared || owners.size() > 1;
    }
    if (!owners.empty()) owners.front()->credited.add(flow);
  }
  return rows;
}

Endpoint client_end(const session::Session& session) { return session.flow ? session.flow->client : session.client; }
Endpoint server_end(const session::Session& session) { return session.flow ? session.flow->server : session.host; }

void add_rates(std::vector<Row>& rows, const std::vector<Row>& before, double seconds) {
  if (seconds <= 0) return;
  std::map<std::string, const Row*> earlier;
  for (const auto& row : before) earlier[row.session.id] = &row;
  for (auto& row : rows) {
    const auto at = earlier.find(row.session.id);
    if (at == earlier.end() || !row.traffic.counted) continue;
    row.rate = Rate{bits_since(row.traffic.to_server, at->second->traffic.to_server, seconds),
                    bits_since(row.traffic.to_client, at->second->traffic.to_client, seconds)};
  }
}

}  // namespace sessions
