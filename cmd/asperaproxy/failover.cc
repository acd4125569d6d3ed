// takeover, standby, health: the commands that keepalived runs; sallyport-cluster(7).
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "base/child.h"
#include "base/env.h"
#include "base/failure.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/paths.h"
#include "config/config.h"
#include "doctor.h"
#include "firewall/firewall.h"
#include "firewall/reap.h"
#include "gate.h"
#include "kernel.h"
#include "lease/reap.h"
#include "session/spool.h"
#include "verbs.h"

namespace asperaproxy {
namespace {

constexpr char kConntrackd[] = "/usr/sbin/conntrackd";

// Sends one command to the running conntrackd, by its option. A node without conntrackd takes over all
// the same: new sessions need no old flows.
bool order(const char* option, const char* what) {
  constexpr int kSeconds = 3;
  constexpr std::size_t kMaxOutput = 65536;
  try {
    const auto output = child::run({{kConntrackd, option}, env::allow({}), {}}, "", kMaxOutput, kSeconds);
    if (output.status == 0) return true;
    logging::error("conntrackd {}: {}", option, logging::escape(output.err.empty() ? output.out : output.err));
  } catch (const tool::Failure& failure) {
    logging::error("conntrackd {}: {}", option, logging::escape(failure.what()));
  }
  logging::error("{}: see asperaproxy check", what);
  return false;
}

// Without a NAT chain the kernel would translate no packet, not even of flows that it knows.
void lay_bases() {
  const session::spool::FirewallLock lock;
  const auto living = session::spool::living();
  for (const auto part : {firewall::Part::iptables, firewall::Part::ip6tables}) {
    if (part == firewall::Part::ip6tables && !has_ipv6()) continue;
    try {
      auto& backend = firewall::backend(part);
      if (backend.inspect_base() != firewall::text::Base::present) backend.lay(living);
    } catch (const tool::Failure& failure) {
      if (part == firewall::Part::iptables) throw;
      logging::error("no rules for IPv6: {}", logging::escape(failure.what()));
    }
  }
}

// The dead node's sessions ended with it: their UDP must not go on here. Everything else that asp-reap
// does can wait: new sessions wait for the lock.
void reap_flows_without_session() {
  const session::spool::FirewallLock lock;
  firewall::reap::flows();
}

// A mistake in aspera.conf, made on all nodes alike, must not cost them the living sessions:
// asperaproxy check reports it.
bool serves_outside() {
  try {
    return config::load(paths::kConfig, config::Author::root).rproxy.enabled;
  } catch (const tool::Failure&) {
    return false;
  }
}

// A master answers even if everything else fails.
void open_gate() {
  try {
    gate::open();
  } catch (const tool::Failure& failure) {
    logging::error("{}", logging::escape(failure.what()));
  }
}

void close_gate() {
  try {
    const auto cluster = config::load(paths::kConfig, config::Author::root).cluster;
    if (cluster.enabled) gate::close(cluster);
  } catch (const tool::Failure& failure) {
    logging::error("{}", logging::escape(failure.what()));
  }
}

// A failure of leases must not cost the sessions.
void try_leases(void (*work)()) {
  try {
    work();
  } catch (const tool::Failure& failure) {
    logging::error("leases: {}", logging::escape(failure.what()));
  }
}

std::size_t take_over_leases() {
  static std::size_t count = 0;
  try_leases([] { count = lease::reap::take_over(); });
  return count;
}

// Ends flows of leases that ended meanwhile, and takes over what the master of Redis knows more than
// the nearby replica.
void complete_leases() { try_leases(lease::reap::complete); }
void stand_by_with_leases() { try_leases(lease::reap::stand_by); }

}  // namespace

int takeover() {
  const auto began = std::chrono::steady_clock::now();
  if (session::spool::stopped()) {
    logging::event("Became master, but the proxy is stopped");
    open_gate();
    return tool::temporary;
  }
  // Leases' flows stand still up to here, so every millisecond counts.
  bool whole = order("-c", "the flows of the dead node are lost");
  open_gate();
  const auto passing = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
  session::spool::prepare();
  reap_flows_without_session();
  set_kernel();
  track_no_windows();
  lay_bases();
  const std::size_t leases = take_over_leases();
  const auto laid = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
  // conntrackd's knowledge of the past is in the kernel now. It begins anew from there, and tells the other
  // nodes.
  for (const char* option : {"-f", "-R", "-B"})
    whole = whole && order(option, "other nodes may not know the flows of this one");
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
  logging::event("Became master of the cluster in {} ms, leases pass after {} ms, {} laid after {} ms{}", took.count(),
                 passing.count(), leases, laid.count(), whole ? "" : ", without the flows of the other node");
  io::write_all(STDOUT_FILENO, fmt::format("took over in {} ms\n", took.count()));
  complete_leases();
  return whole ? tool::yes : tool::os;
}

int standby() {
  close_gate();
  session::spool::prepare();
  stand_by_with_leases();
  set_kernel();
  track_no_windows();
  if (!session::spool::stopped()) lay_bases();
  const bool whole = order("-n", "this node may not know the flows of the master");
  logging::event("Standby of the cluster: the master has the addresses");
  io::write_all(STDOUT_FILENO, "standby\n");
  return whole ? tool::yes : tool::os;
}

int health() {
  const auto say = [](const std::string& text, int code) {
    io::write_all(STDOUT_FILENO, text + "\n");
    return code;
  };
  if (session::spool::stopped()) return say("stopped", tool::no);
  if (session::spool::drained() && session::spool::count() == 0 &&
      session::spool::names_in(session::spool::kDialers).empty())
    return say("drained, and no session is left", tool::no);
  if (serves_outside() && !doctor::sshd_listens()) return say("sshd does not listen", tool::no);
  return say("healthy", tool::yes);
}

}  // namespace asperaproxy
