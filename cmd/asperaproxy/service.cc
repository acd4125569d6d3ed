// start, stop, restart, reload: the commands of init and systemd.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "balance/balance.h"
#include "base/failure.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/paths.h"
#include "border_plan.h"
#include "conductors.h"
#include "config/config.h"
#include "doctor.h"
#include "firewall/border.h"
#include "firewall/firewall.h"
#include "firewall/reap.h"
#include "kernel.h"
#include "lease/local.h"
#include "lease/reap.h"
#include "session/ending.h"
#include "session/keepers.h"
#include "session/spool.h"
#include "verbs.h"

namespace asperaproxy {
namespace {

using firewall::Part;
using firewall::text::Base;

void warn(const std::vector<std::string>& lines) {
  for (const auto& line : lines) {
    logging::error("{}", logging::escape(line));
    std::fputs(fmt::format("asperaproxy: {}\n", logging::escape(line)).c_str(), stderr);
  }
}

std::string sessions_text(std::size_t count) { return fmt::format("{} session{}", count, count == 1 ? "" : "s"); }

// Mentions leases only if there are any, as most proxies have none.
std::string with_leases(std::string text, std::size_t count) {
  if (count > 0) text += fmt::format(" and {} lease{}", count, count == 1 ? "" : "s");
  return text;
}

struct Stopped {
  std::size_t ended = 0;
  std::vector<std::string> remain;
};

// A session that was let in just before the mark was set may open a little later, but not once we hold
// the firewall's lock.
Stopped end_all() {
  Stopped result;
  std::set<std::string> told;
  const auto is_new = [&](const session::Session& session) { return !told.contains(session.id); };
  for (;;) {
    auto doomed = session::spool::living();
    std::erase_if(doomed, [&](const session::Session& session) { return !is_new(session); });
    for (const auto& session : doomed) told.insert(session.id);
    const auto outcome = session::ending::end(doomed, session::ending::invoker());
    const auto conducted = end_conductors();
    result.ended += outcome.ended.size() + conducted.ended;
    for (const auto* remain : {&outcome.remain, &conducted.remain})
      result.remain.insert(result.remain.end(), remain->begin(), remain->end());
    const session::spool::FirewallLock lock;
    const auto living = session::spool::living();
    if (std::any_of(living.begin(), living.end(), is_new)) continue;
    firewall::reap::all();
    return result;
  }
}

void lay_base(Part part, const std::vector<session::Session>& living) {
  auto& backend = firewall::backend(part);
  if (!backend.is_installed()) {
    const bool nft = part == Part::nftables;
    throw tool::Failure(tool::os, fmt::format("{0} is not installed: apt-get install {0}  # dnf install {1}",
                                              nft ? "nftables" : "iptables", nft ? "nftables" : "iptables-nft"));
  }
  if (backend.inspect_base() != Base::present) backend.lay(living);
}

// True if rules of aspera.conf want that one; if they are not known, true for the usual one.
bool is_wanted(config::Forwarding forwarding) {
  try {
    const auto rules = config::load(paths::kConfig, config::Author::root).rproxy.rules;
    if (rules.empty()) return forwarding == config::Forwarding::iptables;
    return std::any_of(rules.begin(), rules.end(),
                       [&](const config::Rule& rule) { return rule.forwarding == forwarding; });
  } catch (const tool::Failure&) {
    return forwarding == config::Forwarding::iptables;
  }
}

// Neither IPv6 nor each of the firewalls is everywhere, or needed everywhere.
void lay_bases(const std::optional<config::Config>& config, std::vector<std::string>& left) {
  if (config && !border_plan::is_used(*config)) return;
  const auto living = session::spool::living();
  if (is_wanted(config::Forwarding::nftables)) lay_base(Part::nftables, living);
  if (!is_wanted(config::Forwarding::iptables)) return;
  lay_base(Part::iptables, living);
  if (!has_ipv6()) {
    if (config && doctor::may_serve_ipv6(config->rproxy))
      left.push_back("the kernel has no IPv6, but aspera.conf has rules for it");
    return;
  }
  try {
    lay_base(Part::ip6tables, living);
  } catch (const tool::Failure& failure) {
    left.push_back(fmt::format("no rules for IPv6: {}", failure.what()));
  }
}

// Absent when it is wrong: the programs that need it report that.
std::optional<config::Config> config_if_valid() {
  try {
    return config::load(paths::kConfig, config::Author::root);
  } catch (const tool::Failure&) {
    return std::nullopt;
  }
}

// Without a bound where the kernel cannot count: the border matters more.
bool lay(firewall::border::Plan plan, std::vector<std::string>& left) {
  try {
    return firewall::border::lay(plan);
  } catch (const tool::Failure& failure) {
    if (plan.flows_per_client == 0) throw;
    plan.flows_per_client = 0;
    const bool laid = firewall::border::lay(plan);
    left.push_back(fmt::format("no bound for the flows of a client: {}", failure.what()));
    return laid;
  }
}

// With <border>false</border> only the bound is left of it.
void close_border(const config::Config& config, std::vector<std::string>& left) {
  auto plan = config.border ? border_plan::plan(config, left) : firewall::border::Plan{};  // may wait for name servers
  plan.flows_per_client = config.max_flows_per_client;
  const session::spool::FirewallLock lock;
  const auto before = firewall::border::recorded();
  const bool done = lay(plan, left);
  if (config.border && done) logging::event("Closed the border: {}", logging::escape(border_plan::shown(plan)));
  if (!config.border && before && !before->is_open())
    logging::event("Opened the border: aspera.conf has <border>false</border>");
}

// The border comes first, so that there is no moment in which everything is forwarded, and no forwarding without it. A
// host where nobody uses the proxy is left as it is.
std::vector<std::string> prepare_host(const std::optional<config::Config>& config) {
  std::vector<std::string> left;
  if (!config || !border_plan::is_used(*config)) return left;
  close_border(*config, left);
  const auto unset = set_kernel();
  left.insert(left.end(), unset.begin(), unset.end());
  return left;
}

// Absent: new sessions are refused. Where there is no room for the mark, there is none for a session's record, either.
std::optional<tool::Failure> refuse_new() {
  try {
    session::spool::set_stopped(true);
    return std::nullopt;
  } catch (const tool::Failure& failure) {
    return tool::Failure(
        failure.code(),
        fmt::format("all sessions are ended, but new ones will be accepted as soon as there is room: {}",
                    failure.what()));
  }
}

}  // namespace

int leave() {
  const int stopped = stop();
  const session::spool::FirewallLock lock;
  if (const auto plan = firewall::border::recorded()) {
    if (plan->v4.strict) stop_forwarding(AF_INET);
    if (plan->v6.strict) stop_forwarding(AF_INET6);
  }
  firewall::border::take_away();
  logging::event("Left: opened the border, and set forwarding to what it was before the first start");
  return stopped;
}

int stop() {
  const auto unmarked = refuse_new();
  const auto result = end_all();
  const std::string ended = with_leases(sessions_text(result.ended), lease::reap::end_all());
  session::keepers::end_all();  // keepers that end a session after this see the mark
  balance::remove_fault_marks();
  warn(result.remain);
  if (unmarked) throw *unmarked;
  logging::event("Stopped: ended {}, all rules are purged", ended);
  io::write_all(STDOUT_FILENO, fmt::format("stopped: no new sessions are taken; {} ended\n", ended));
  return result.remain.empty() ? tool::yes : tool::os;
}

int start() {
  session::spool::prepare();
  const auto config = config_if_valid();
  auto left = prepare_host(config);
  std::size_t living = 0;
  {
    const session::spool::FirewallLock lock;
    lay_bases(config, left);
    // This comes last, so that a proxy that cannot start stays stopped.
    session::spool::set_stopped(false);
    firewall::reap::all();
    living = session::spool::living().size();
  }
  lease::reap::all();
  const std::string left_alive = with_leases(sessions_text(living), lease::local::count());
  warn(left);
  const std::string drained =
      session::spool::drained() ? "; drained: no new sessions are taken until asperaproxy undrain" : "";
  logging::event("Started: {} living{}", left_alive, drained);
  io::write_all(STDOUT_FILENO, fmt::format("started: {} living{}\n", left_alive, drained));
  return tool::yes;
}

int reload() {
  const auto config = config::load(paths::kConfig, config::Author::root);
  if (session::spool::stopped()) {
    io::write_all(STDOUT_FILENO, "the configuration is valid; the proxy is stopped, so nothing else was done\n");
    return tool::yes;
  }
  session::spool::prepare();
  auto left = prepare_host(config);
  std::size_t living = 0;
  {
    const session::spool::FirewallLock lock;
    lay_bases(config, left);
    firewall::reap::all();
    living = session::spool::living().size();
  }
  lease::reap::all();
  const std::string left_alive = with_leases(sessions_text(living), lease::local::count());
  warn(left);
  logging::event("Reloaded: the configuration is valid; {} living", left_alive);
  io::write_all(STDOUT_FILENO, fmt::format("reloaded: the configuration is valid; {} living\n", left_alive));
  return tool::yes;
}

}  // namespace asperaproxy
