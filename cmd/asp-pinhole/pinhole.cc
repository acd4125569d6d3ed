#include "pinhole.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <thread>
#include <utility>

#include <fmt/core.h>

#include "base/failure.h"
#include "base/logging.h"
#include "base/status.h"
#include "firewall/firewall.h"
#include "firewall/flows.h"
#include "kernel/connmark.h"
#include "report.h"

namespace {

using namespace std::chrono_literals;
using conntrack::Flow;

constexpr auto kLongestTurn = 3s;
constexpr auto kTurnPoll = 5ms;
// A flow that the server does not answer.
constexpr std::size_t kMaxUnanswered = 256;  // of a session
constexpr auto kOneWayTime = 10s;            // then it is the session's, if it goes on
constexpr auto kOneWayPause = 1s;            // it goes on as long as no pause is longer
constexpr auto kReviewPoll = 100ms;
// The same, beside sessions of the same client to other servers.
constexpr auto kAnswerTime = 300ms;  // then the next server gets it
constexpr auto kContestedPoll = 20ms;
constexpr auto kHandOnPause = 50ms;  // between two of them
constexpr int kMaxHandedOn = 512;    // by a session
constexpr std::size_t kManyUnanswered = 16;

constexpr auto kLingerPoll = 200ms;

std::int64_t monotonic_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

using session::is_candidate;

// True if it had the whole time of a turn to get its flow.
bool is_overdue(const session::Session& candidate) {
  return monotonic_now() - candidate.opened >= std::chrono::nanoseconds(kLongestTurn).count();
}

// The pause between two attempts to get the turn: 22 to 2 ms. The session that has waited longest
// tries most often, so in a crowd each gets the turn in time, and hundreds cost little.
std::chrono::milliseconds pause_without_turn(std::chrono::milliseconds left) { return 2ms + left / 150; }

bool is_claimed(const Flow& flow, const std::vector<session::Session>& sessions) {
  return std::any_of(sessions.begin(), sessions.end(),
                     [&](const session::Session& session) { return firewall::flows::is_flow_of(session, flow); });
}

// Absent: the kernel does not count, or there is nothing to count.
std::optional<conntrack::Counters> carried_by(const std::vector<Flow>& flows) {
  std::optional<conntrack::Counters> total;
  for (const auto& flow : flows) {
    if (!flow.counters) continue;
    if (!total) total.emplace();
    total->packets += flow.counters->packets;
    total->bytes += flow.counters->bytes;
  }
  return total;
}

}  // namespace

Pinhole::Pinhole(session::Session session, std::string identity, Limits limits, Life& life,
                 std::unique_ptr<Sightings> sightings)
    : session_(std::move(session)),
      identity_(std::move(identity)),
      limits_(limits),
      life_(life),
      sightings_(std::move(sightings)) {}

Pinhole::~Pinhole() { revoke(); }

std::vector<session::Session> Pinhole::peers() const {
  auto others = session::spool::living_of(session_.client.ip);
  std::erase_if(others, [&](const session::Session& other) {
    return other.id == session_.id || !firewall::flows::collide(session_, other);
  });
  return others;
}

bool Pinhole::is_colleague(const session::Session& peer) const {
  return is_candidate(peer) && peer.host == session_.host;
}
bool Pinhole::is_competitor(const session::Session& peer) const {
  return is_candidate(peer) && peer.host != session_.host;
}
bool Pinhole::is_contested() const {
  const auto others = peers();
  return std::any_of(others.begin(), others.end(), [&](const auto& other) { return is_competitor(other); });
}

// The candidate whose flow we wait for: sessions to other servers before those to ours, older before
// younger. Absent when there is none, and when the oldest to our server is overdue: then we are its
// rival, and a rival of all of them, however long we wait.
std::optional<session::Session> Pinhole::find_predecessor() const {
  auto candidates = peers();
  std::erase_if(candidates, [](const session::Session& other) { return !is_candidate(other); });
  const auto first =
      std::min_element(candidates.begin(), candidates.end(), [&](const session::Session& a, const session::Session& b) {
        return is_competitor(a) != is_competitor(b) ? is_competitor(a) : a.opened < b.opened;
      });
  if (first == candidates.end() || (is_colleague(*first) && is_overdue(*first))) return std::nullopt;
  return *first;
}

// The holder of the turn is the next to open, and only it looks at the others: at all of them when it
// must, and meanwhile at the one that it waits for.
bool Pinhole::wait_for_turn() {
  const std::string name = fmt::format("{},{}", session_.client.ip.text(), session_.proxy.ip.text());
  const auto deadline = Deadline::in(kLongestTurn);
  std::optional<session::Session> predecessor;
  for (;;) {
    if (!turn_) turn_ = session::spool::Token::take(session::spool::kTurns, name);
    if (turn_) {
      if (predecessor) predecessor = session::spool::living_of_id(predecessor->id);
      if (!predecessor || !is_candidate(*predecessor) || (is_colleague(*predecessor) && is_overdue(*predecessor)))
        predecessor = find_predecessor();
      if (!predecessor) return true;
    }
    if (deadline.over()) {
      logging::debug1("Opening beside other sessions of {} that have no flow yet", session_.client.ip.text());
      return true;
    }
    if (life_.wait(-1, Deadline::in(turn_ ? kTurnPoll : pause_without_turn(deadline.left()))) == Life::Woken::by_end)
      return false;
  }
}

void Pinhole::check_limits() const {
  const auto check = [](const char* option, std::size_t count, unsigned limit) {
    if (limit != 0 && count >= limit)
      throw tool::Failure(tool::temporary, fmt::format("the limit is reached: {} is {}", option, limit));
  };
  if (limits_.total != 0) check("max_sessions of all rules", session::spool::count(), limits_.total);
  if (limits_.of_user != 0)
    check("max_sessions_per_user", session::spool::count_of_user(session_.user), limits_.of_user);
  const std::string rule = fmt::format("max_sessions of rule {}", session_.route.rule);
  if (limits_.of_rule != 0) check(rule.c_str(), session::spool::count_of_rule(session_.route.rule), limits_.of_rule);
}

firewall::Backend& Pinhole::backend() const { return firewall::backend_of(session_); }

// Every new flow is compared with all rules of the chain, one after the other.
bool Pinhole::is_beyond_chain() const {
  return session_.route.forwarding == config::Forwarding::iptables &&
         session::spool::count_in_chain(session_.client.ip) >= limits_.in_chain &&
         firewall::backend(firewall::Part::nftables).is_installed();
}

// A kernel or a container may have no nftables, though the library is there.
void Pinhole::put_in_force() {
  const bool beyond = is_beyond_chain();
  if (beyond) session_.route.forwarding = config::Forwarding::nftables;
  entry_.emplace(session_);
  in_force_ = true;  // from here on there may be something to revoke
  sightings_->before_rule();
  try {
    backend().open(session_);
  } catch (const tool::Failure& failure) {
    if (!beyond) throw;
    logging::debug1("More than {} sessions stay in iptables: {}", limits_.in_chain, logging::escape(failure.what()));
    session_.route.forwarding = config::Forwarding::iptables;
    entry_->remove();
    entry_.emplace(session_);
    backend().open(session_);
  }
}

bool Pinhole::open() {
  const auto start = Clock::now();
  if (!wait_for_turn()) return false;
  const double waited = milliseconds_since(start);
  {
    const session::spool::FirewallLock lock([this] { return life_.must_end(); });
    if (!lock || life_.must_end()) return false;
    // Checked again under the lock that asperaproxy stop holds while it purges: no rule may come after that. A
    // drain lets sessions go on that began before it.
    if (session::spool::stopped()) session::spool::check_admission();
    check_limits();
    session_.group = session::find_group(session_, session::spool::living_of(session_.client.ip));
    session_.opened = monotonic_now();
    put_in_force();
    renewed_ = Clock::now();
  }
  turn_.reset();  // the next session finds us on record
  const auto early = sort_early_flows();
  logging::debug1("Rule in force: {:.0f} ms for its turn, {:.0f} ms for the firewall, {}", waited,
                  milliseconds_since(start) - waited, session_.group.empty() ? "no rivals" : "group=" + session_.group);
  report::line(status::Line{"open", {}}.with("session", session_.id).with("host", session_.host.text()));
  told_open_ = true;
  for (const auto& flow : early) handle_flow(flow);  // only now: nobody expects a flow before it is open
  return true;
}

// A packet that came before the rule left a flow that is not translated, and never would be. A flow of
// a dead session must not be taken for ours. But where others have no flow yet either, it may be
// anybody's. Returns the flows that may be ours.
std::vector<Flow> Pinhole::sort_early_flows() const {
  const auto others = peers();
  const bool alone = std::none_of(others.begin(), others.end(), is_candidate);
  const auto early = sightings_->after_rule();
  const conntrack::Table table;
  std::vector<Flow> ours;
  const auto judge = [&](const Flow& flow, bool fresh) {
    if (firewall::flows::is_of_lease(flow) || !firewall::flows::would_take(session_, flow.client, flow.proxy) ||
        is_claimed(flow, others))
      return;
    if (!flow.translated() || (!fresh && alone)) {
      table.remove(flow);
    } else if (const auto now = table.find(flow.client, flow.proxy); now && now->id == flow.id) {
      ours.push_back(*now);
    }
  };
  for (const auto& flow : early.old) judge(flow, false);
  for (const auto& flow : early.fresh) judge(flow, true);
  for (const auto& flow : ours) sightings_->remember(flow);
  return ours;
}

// The flows in `news` that our rule took; they are noted before any of them is acted upon.
std::vector<Flow> Pinhole::learn(std::vector<Flow> news) const {
  session::Session open = session_;
  open.flow.reset();
  std::erase_if(news, [&](const Flow& flow) { return !firewall::flows::belongs(open, flow); });
  for (const auto& flow : news) sightings_->remember(flow);
  return news;
}

// What the rule took before it was removed or narrowed. Beside many flows there may be a packet on its way through the
// kernel that has met the old rule, and whose flow is not there yet.
void Pinhole::learn_last() const {
  if (known_.size() > kManyUnanswered) std::this_thread::sleep_for(10ms);
  learn(sightings_->last_news());
}

// Our flows that the kernel still has.
std::vector<Flow> Pinhole::list_ours() const {
  std::vector<Flow> ours;
  const conntrack::Table table;
  if (session_.pinned()) {
    if (const auto flow = table.find(session_.flow->client, firewall::flows::proxy_end(session_)))
      ours.push_back(*flow);
  } else if (sightings_) {
    ours = sightings_->present();
  } else {
    ours = table.list(session_.client.ip, connmark::kSuite);
  }
  std::erase_if(ours, [&](const Flow& flow) { return !firewall::flows::belongs(session_, flow); });
  return ours;
}

void Pinhole::hold() {
  while (!life_.ended()) step(Deadline::never());
}

// Renews the rule in nftables, where it expires otherwise.
void Pinhole::renew() {
  const auto each = backend().renewal();
  if (!each || Clock::now() < renewed_ + *each) return;
  const session::spool::FirewallLock lock;
  backend().renew(session_);
  renewed_ = Clock::now();
}

void Pinhole::step(Deadline until) {
  if (!unanswered_.empty()) until = std::min(until, Deadline::at(next_review_));
  renew();
  if (const auto each = backend().renewal()) until = std::min(until, Deadline::at(renewed_ + *each));
  if (life_.wait(sightings_ ? sightings_->fd() : -1, until) == Life::Woken::by_watch) {
    for (const auto& flow : learn(sightings_->news())) handle_flow(flow);
    drop_surplus();
  }
  if (!unanswered_.empty() && Clock::now() >= next_review_) review_unanswered();
}

void Pinhole::handle_flow(const Flow& flow) {
  if (session_.flow || !firewall::flows::belongs(session_, flow)) return;
  if (flow.answered && claim(flow) != Claim::not_yet) return;
  if (known_.insert(flow.id).second) unanswered_.push_back({flow, Clock::now(), Clock::now()});
}

void Pinhole::forget(const Flow& flow) {
  known_.erase(flow.id);
  sightings_->forget(flow);
}

// Among very many only one that goes on: the client's own does. Each costs a change of the firewall, and a rule until
// the end of the session that gets it.
bool Pinhole::may_hand_on(const Flow& flow, bool crowded) const {
  const bool goes_on = !flow.counters || flow.to_server.packets > 1;
  return Clock::now() >= next_hand_on_ && handed_on_ < kMaxHandedOn && (goes_on || !crowded);
}

// Each flow in its present state; those that are over are forgotten.
void Pinhole::review_unanswered() {
  const bool contested = is_contested();
  const bool crowded = unanswered_.size() > kManyUnanswered;
  const conntrack::Table table;
  std::deque<Unanswered> kept;
  for (auto& each : std::exchange(unanswered_, {})) {
    const auto now = table.find(each.flow.client, each.flow.proxy);
    if (!now || now->id != each.flow.id) {
      forget(each.flow);
      continue;
    }
    const auto time = Clock::now();
    if (!now->counters || now->to_server.packets != each.flow.to_server.packets) each.active = time;
    each.flow = *now;
    const bool one_way = !contested && time >= each.begun + kOneWayTime && time < each.active + kOneWayPause;
    if (now->answered || one_way) {
      const Claim claimed = claim(*now);
      if (claimed == Claim::done) return;
      if (claimed == Claim::not_yet) kept.push_back(each);
      else known_.erase(now->id);
    } else if (contested && time >= each.begun + kAnswerTime && may_hand_on(*now, crowded)) {
      hand_on(*now);
      forget(*now);
      next_hand_on_ = Clock::now() + kHandOnPause;
      ++handed_on_;
    } else {
      kept.push_back(each);
    }
  }
  unanswered_ = std::move(kept);
  next_review_ = Clock::now() + (contested ? kContestedPoll : kReviewPoll);
}

// Somebody who sends in the client's name leaves a flow for each port: the oldest go, except those that went on
// since we last looked. If one of the client's goes, it comes again with its next packet.
void Pinhole::drop_surplus() {
  if (unanswered_.size() <= kMaxUnanswered) return;
  const conntrack::Table table;
  for (auto looks = unanswered_.size(); looks > 0 && unanswered_.size() > kMaxUnanswered; --looks) {
    Unanswered oldest = unanswered_.front();
    unanswered_.pop_front();
    const auto now = table.find(oldest.flow.client, oldest.flow.proxy);
    if (now && now->id == oldest.flow.id && now->to_server.packets != oldest.flow.to_server.packets) {
      oldest.flow = *now;
      unanswered_.push_back(oldest);
    } else {
      table.remove(oldest.flow);
      forget(oldest.flow);
    }
  }
}

// Our server does not answer this flow, so the next server's session gets it. Its next packet then goes there.
void Pinhole::hand_on(const Flow& flow) {
  const session::spool::FirewallLock lock;
  std::vector<session::Session> candidates = peers();
  std::erase_if(candidates, [&](const session::Session& other) { return !is_competitor(other); });
  if (candidates.empty()) return;
  // Goes round the servers, in the order in which their sessions opened.
  std::sort(candidates.begin(), candidates.end(), [&](const session::Session& a, const session::Session& b) {
    const bool a_later = a.opened > session_.opened;
    const bool b_later = b.opened > session_.opened;
    return a_later != b_later ? a_later : a.opened < b.opened;
  });
  session::Session next = candidates.front();
  const Port port = next.ports_kept() ? flow.proxy.port : next.route.udp_port;
  next.flow = session::PinnedFlow{flow.client, {next.host.ip, port}};
  next.route.src_port_filtering = true;
  session::spool::note_offer(next.id);
  firewall::offer(next);
  conntrack::Table().remove(flow);
  logging::debug1("Handed the flow from {} on to session={} at {}", flow.client.text(), next.id, next.host.text());
}

// The oldest session of our server without a flow takes it.
Pinhole::Claim Pinhole::claim(const Flow& flow) {
  const auto start = Clock::now();
  {
    const session::spool::FirewallLock lock;
    const auto others = peers();
    if (is_claimed(flow, others)) return Claim::taken;
    const bool later = std::any_of(others.begin(), others.end(), [&](const session::Session& other) {
      return is_colleague(other) && other.opened < session_.opened;
    });
    if (later) return Claim::not_yet;
    session_.flow = session::PinnedFlow{flow.client, flow.server};
    if (session_.route.src_port_filtering) backend().pin(session_);
    if (session::spool::was_offered(session_.id)) backend().settle(session_);
    entry_->update(session_);
  }
  if (session_.route.src_port_filtering) drop_unclaimed();
  sightings_.reset();
  unanswered_.clear();
  logging::debug1("Learned the flow from {} in {:.0f} ms: {}", flow.client.text(), milliseconds_since(start),
                  session_.route.src_port_filtering ? "the rule is narrowed to it" : "the rule stays open");
  logging::tell_of_session(
      fmt::format("Setup UDP forwarding between {} and {} {}", flow.client.text(), flow.server.text(), identity_));
  report::line(status::Line{"flow", {}}.with("client", flow.client.text()).with("server", flow.server.text()));
  return Claim::done;
}

// Drops flows that our rule took before it was narrowed: their next packet finds another session's
// rule, or none. Flows that a session at our server may still claim stay.
void Pinhole::drop_unclaimed() const {
  const auto others = peers();
  if (std::any_of(others.begin(), others.end(), [&](const session::Session& other) { return is_colleague(other); }))
    return;
  session::Session open = session_;
  open.flow.reset();
  learn_last();
  const conntrack::Table table;
  for (const auto& flow : sightings_->present()) {
    const bool claimed = firewall::flows::is_flow_of(session_, flow) || is_claimed(flow, others);
    if (!claimed && firewall::flows::belongs(open, flow)) table.remove(flow);
  }
}

// True if there are living sessions that could share flows with us.
bool Pinhole::has_relatives() const {
  const auto others = peers();
  return std::any_of(others.begin(), others.end(),
                     [&](const session::Session& other) { return !other.lingering && session_.is_rival_of(other); });
}

bool Pinhole::must_linger() const {
  if (life_.reason() == "SIGTERM" || !in_force_) return false;
  return session_.route.udp_linger.count() > 0 || (session_.flow && has_relatives());
}

void Pinhole::revoke() {
  if (!entry_) return;
  Carried carried;
  try {
    if (must_linger()) return linger();
    carried = close_rule_and_flows();
    tell_closed(carried);
  } catch (const std::exception& fault) {
    entry_.reset();  // releases the lock, so that asp-reap finds an orphan
    const std::string why = logging::escape(fault.what());
    if (told_open_) logging::error("Could not revoke session={}: {}; asp-reap will do it", session_.id, why);
    else logging::debug1("Could not revoke what was refused: {}; asp-reap will do it", why);  // what it was refused for
  }
  if (told_open_) report_closed(carried);
}

void Pinhole::tell_closed(const Carried& carried) const {
  if (!session_.flow) return;
  logging::tell_of_session(fmt::format(
      "Closed UDP forwarding between {} and {} {}{}", session_.flow->client.text(), session_.flow->server.text(),
      identity_, carried ? fmt::format(" bytes={} packets={}", carried->bytes, carried->packets) : ""));
}

void Pinhole::report_closed(const Carried& carried) const {
  status::Line line{"closed", {}};
  if (carried) line.with("packets", std::to_string(carried->packets)).with("bytes", std::to_string(carried->bytes));
  report::line(line.with("reason", life_.reason().empty() ? "error" : life_.reason()));
}

// Goes on in a process of its own, which keeps the record's lock. This process ends, and the SSH
// session with it.
void Pinhole::linger() {
  session_.lingering = true;
  const auto carried = carried_by(list_ours());
  const pid_t child = ::fork();
  if (child < 0) tool::fail_errno(tool::os, "fork");
  if (child > 0) {
    entry_.reset();
    return report_closed(carried);
  }
  ::setsid();
  const Fd null = fd::open("/dev/null", O_RDWR);
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null.get(), standard);
  life_.detach();
  session_.holder = ::getpid();
  entry_->update(session_);

  std::uint64_t packets = 0;
  auto active = Clock::now();
  const auto longest = Deadline::in(limits_.lingering);
  while (!life_.ended()) {
    const bool wanted = session_.flow && has_relatives();
    if (!wanted && (longest.over() || Clock::now() - active >= session_.route.udp_linger)) break;
    step(Deadline::in(kLingerPoll));
    std::uint64_t now = 0;
    for (const auto& flow : list_ours()) now += flow.counters ? flow.counters->packets : packets + 1;
    if (now > packets) active = Clock::now();
    packets = now;
  }
  tell_closed(close_rule_and_flows());
  logging::event("Revoked session={} user={} after it lingered{}", session_.id, logging::field(session_.user),
                 longest.over() ? " for as long as udp_linger_limit lets it" : "");
}

// An end without UDP looks like a slow or broken transfer to its user, and like nothing at all here.
void Pinhole::tell_what_was_missing(bool has_flow_now) const {
  constexpr auto kPatience = 5s;  // clients send at once
  if (session_.opened == 0) return;
  const std::chrono::nanoseconds open{monotonic_now() - session_.opened};
  const std::string client = session_.client.ip.text();
  if (session_.pinned() && !has_flow_now) {
    logging::event("The UDP flow from {} was over before its session: its client was silent, or a NAT on the way gave "
                   "it another port, which src_port_filtering does not let in session={}",
                   session_.flow->client.text(), session_.id);
  } else if (!session_.flow && !unanswered_.empty()) {
    logging::event("UDP from {} reached {}, which answered nothing: does it listen there, and does its way back lead "
                   "through this host? session={}",
                   unanswered_.front().flow.client.text(), unanswered_.front().flow.server.text(), session_.id);
  } else if (!session_.flow && session_.client.ip.is_loopback()) {
    logging::event("No UDP came from {}, which is this host itself: the program here that passes on the client's SSH "
                   "(sslh, HAProxy) does not pass on its UDP session={}",
                   client, session_.id);
  } else if (!session_.flow && open >= kPatience) {
    logging::event("No UDP came from {} in {} s: is it blocked on the way, or does the client's UDP come from another "
                   "address than its SSH? session={}",
                   client, std::chrono::duration_cast<std::chrono::seconds>(open).count(), session_.id);
  }
}

// The rule goes first, then the flows: a flow goes on without its rule, but no new one can begin.
Pinhole::Carried Pinhole::close_rule_and_flows() {
  const auto start = Clock::now();
  // Held until the record is gone: asp-reap would restore the rule of a session that is on record without one.
  std::optional<session::spool::FirewallLock> lock;
  if (in_force_) {
    lock.emplace();
    backend().close(session_);
    if (session::spool::was_offered(session_.id)) backend().close_all(session_);
  }
  if (sightings_) learn_last();
  const auto others = peers();
  const auto ours = list_ours();
  tell_what_was_missing(!ours.empty());
  const conntrack::Table table;
  int removed = 0;
  for (const auto& flow : ours) {
    if (!is_claimed(flow, others) && table.remove(flow)) ++removed;
  }
  entry_->remove();
  entry_.reset();
  logging::debug1("Revoked rule and {} flows in {:.0f} ms: {}", removed, milliseconds_since(start),
                  life_.reason().empty() ? "error" : life_.reason());
  return carried_by(ours);
}
