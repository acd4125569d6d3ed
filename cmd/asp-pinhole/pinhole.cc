#include "pinhole.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>

#include <fmt/core.h>

#include "firewall.h"
#include "firewall_text.h"
#include "io.h"
#include "logging.h"
#include "status.h"
#include "tool.h"

namespace {

using namespace std::chrono_literals;
using conntrack::Flow;

constexpr auto kLongestTurn = 3s;
constexpr auto kTurnPause = 5ms;

// Nobody may be listening any more, and that must not keep us from revoking.
void report(const status::Line& line) {
  try {
    io::write_all(STDOUT_FILENO, line.text());
  } catch (const tool::Failure& failure) {
    logging::debug1("{}", failure.what());
  }
}

bool within(const config::PortRange& range, Port port) { return range.low <= port && port <= range.high; }

}  // namespace

Pinhole::Pinhole(Session session, Life& life) : session_(std::move(session)), life_(life) {}

Pinhole::~Pinhole() { revoke(); }

// Two open rules of one client cannot be told apart on the wire, so that the
// later one waits until the earlier has learnt its flow, for a while.
bool Pinhole::wait_for_turn() {
  const std::string name = fmt::format("{},{},{}", session_.client.ip.text(), session_.proxy.ip.text(), session_.proxy_port);
  const auto deadline = std::chrono::steady_clock::now() + kLongestTurn;
  while (!(turn_ = spool::Token::take(spool::kTurns, name))) {
    if (std::chrono::steady_clock::now() >= deadline) {
      logging::debug1("Turn of {} not free after {} s, going on (session={})", name, kLongestTurn.count(), session_.id);
      break;
    }
    if (life_.wait(-1, kTurnPause) == Life::Woken::by_end) return false;
  }
  return !life_.ended();
}

bool Pinhole::open() {
  if (!wait_for_turn()) return false;
  entry_.emplace(session_);
  watch_.emplace(session_.client.ip, firewall_text::kMark);
  {
    const spool::FirewallLock lock;
    in_force_ = true;  // from here on there may be something to revoke
    firewall::open(session_, spool::living);
  }
  forget_early_packets();
  report(status::Line{"open", {}}.with("session", session_.id).with("host", session_.host.text()));
  return true;
}

// A packet that came before the rule left a flow that is not translated, and
// would never be.
void Pinhole::forget_early_packets() {
  const conntrack::Table table;
  for (const auto& flow : table.list(session_.client.ip.family(), 0)) {
    const bool port = session_.ports_kept() ? within(session_.udp_port_range, flow.proxy.port) : flow.proxy.port == session_.proxy_port;
    if (flow.client.ip == session_.client.ip && flow.proxy.ip == session_.proxy.ip && port && !flow.translated()) {
      table.remove(flow);
    }
  }
}

// A flow that the rule of this session translated, as far as the kernel tells.
bool Pinhole::is_ours(const Flow& flow) const {
  if (flow.client.ip != session_.client.ip || flow.proxy.ip != session_.proxy.ip) return false;
  if (flow.server.ip != session_.host.ip) return false;
  if (session_.pinned()) return flow.client == session_.flow->client && flow.server == session_.flow->server;
  if (session_.ports_kept()) return within(session_.udp_port_range, flow.proxy.port);
  return flow.proxy.port == session_.proxy_port && flow.server.port == session_.udp_port;
}

std::vector<Flow> Pinhole::list_ours() const {
  std::vector<Flow> ours = conntrack::Table().list(session_.client.ip.family(), firewall_text::kMark);
  std::erase_if(ours, [&](const Flow& flow) { return !is_ours(flow); });
  return ours;
}

void Pinhole::hold() {
  while (!life_.ended()) {
    const auto woken = life_.wait(watch_ ? watch_->fd() : -1, -1ms);
    if (woken != Life::Woken::by_watch) continue;
    const auto news = watch_->read();
    learn(news.lost ? list_ours() : news.flows);
  }
}

void Pinhole::learn(const std::vector<Flow>& flows) {
  for (const auto& flow : flows) {
    if (!is_ours(flow)) continue;
    pin(flow);
    return;
  }
}

void Pinhole::pin(const Flow& flow) {
  session_.flow = PinnedFlow{flow.client, flow.server};
  if (session_.src_port_filtering) {
    const spool::FirewallLock lock;
    firewall::pin(session_, spool::living);
  }
  watch_.reset();
  if (session_.src_port_filtering) drop_other_ports();
  entry_->update(session_);
  turn_.reset();
  report(status::Line{"flow", {}}.with("client", flow.client.text()).with("server", flow.server.text()));
}

// Flows from other ports of the client that began before the rule was
// narrowed, unless another session is pinned to them.
void Pinhole::drop_other_ports() {
  Session unpinned = session_;
  unpinned.flow.reset();
  std::swap(unpinned, session_);
  auto others = list_ours();
  std::swap(unpinned, session_);
  std::erase_if(others, [&](const Flow& flow) { return flow.client == session_.flow->client; });
  if (others.empty()) return;
  const auto living = spool::living();
  const conntrack::Table table;
  for (const auto& flow : others) {
    const bool taken = std::any_of(living.begin(), living.end(), [&](const Session& other) {
      return other.id != session_.id && other.flow && other.flow->client == flow.client;
    });
    if (!taken) table.remove(flow);
  }
}

void Pinhole::revoke() {
  if (!entry_) return;
  try {
    if (in_force_) {
      const spool::FirewallLock lock;
      firewall::close(session_);
    }
    watch_.reset();
    conntrack::Counters total;
    const conntrack::Table table;
    const auto living = spool::living();
    bool counted = false;
    for (const auto& flow : list_ours()) {
      const bool shared = std::any_of(living.begin(), living.end(), [&](const Session& other) {
        return other.id != session_.id && other.flow && other.flow->client == flow.client && other.flow->server == flow.server;
      });
      if (shared) continue;
      if (flow.counters) {
        counted = true;
        total.packets += flow.counters->packets;
        total.bytes += flow.counters->bytes;
      }
      table.remove(flow);
    }
    entry_->remove();
    entry_.reset();
    turn_.reset();
    status::Line line{"closed", {}};
    if (counted) line.with("packets", std::to_string(total.packets)).with("bytes", std::to_string(total.bytes));
    report(line.with("reason", life_.reason().empty() ? "error" : life_.reason()));
  } catch (const std::exception& fault) {
    entry_.reset();  // gives up the lock, so that asp-reap finds an orphan
    logging::error("Could not revoke session {}: {}; asp-reap will", session_.id, fault.what());
  }
}
