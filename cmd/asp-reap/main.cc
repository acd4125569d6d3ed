// asp-reap: makes the firewall hold the rules of the living sessions and leases, no more and no less;
// asp-reap(8). cron runs it every minute: it prints nothing, not even on stdout, when there is nothing
// to do.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "balance/balance.h"
#include "base/child.h"
#include "base/confine.h"
#include "base/confine_phases.h"
#include "base/fd.h"
#include "base/log_file.h"
#include "base/logging.h"
#include "base/options.h"
#include "base/paths.h"
#include "base/tool.h"
#include "config/config.h"
#include "firewall/border.h"
#include "firewall/reap.h"
#include "lease/reap.h"
#include "session/ending.h"
#include "session/keepers.h"
#include "session/spool.h"
#include "who/caller.h"

namespace {

constexpr char kUsage[] = "asp-reap";
constexpr int kPatienceSeconds = 20;
constexpr std::chrono::seconds kSecondLook{2};

// Absent when the file is wrong: the programs that need it report that.
std::optional<config::Config> load_config() {
  try {
    return config::load(paths::kConfig, config::Author::root);
  } catch (const tool::Failure&) {
    return std::nullopt;
  }
}

void sweep_marks(const std::optional<config::Config>& config) {
  if (!config) return balance::sweep(std::nullopt);
  balance::share(config->cluster, balance::Haste::administrator);
  std::vector<HostPort> named;
  for (const auto& rule : config->rproxy.rules) named.insert(named.end(), rule.hosts.begin(), rule.hosts.end());
  balance::sweep(named);
}

std::string desertion_of(const session::Session& session) {
  return session.lingering ? "" : caller::desertion_of(session.pid, session.client, session.proxy);
}

// Ends living sessions whose user is gone, though their own helpers have not seen it, for instance those of an
// older release. One that is just ending is none of them, so all are looked at twice.
void end_deserted() {
  auto deserted = session::spool::living();
  const auto there = [](const session::Session& session) { return desertion_of(session).empty(); };
  std::erase_if(deserted, there);
  if (deserted.empty()) return;
  std::this_thread::sleep_for(kSecondLook);
  std::erase_if(deserted, there);
  for (const auto& session : deserted)
    logging::error("Ends session={} user={}: {}", session.id, logging::field(session.user), desertion_of(session));
  for (const auto& remains : session::ending::end(deserted, {"asp-reap", 0}).remain)
    logging::error("{}", logging::escape(remains));
}

// The border stays while the proxy is stopped.
void mend_border() {
  try {
    if (firewall::border::mend()) logging::event("Put back the border: somebody had taken it away, or changed it");
  } catch (const tool::Failure& failure) {
    logging::error("The border is not in force: {}", logging::escape(failure.what()));
  }
}

void reap_sessions() {
  const session::spool::FirewallLock lock;
  firewall::reap::all();
  mend_border();
}

void prepare_log(const std::string& directory) {
  if (const auto only = session::spool::Token::take(log_file::kShares, "reap")) log_file::prepare(directory);
}

// Publishes the sessions for asp-sessions --cluster on other nodes. A failure is made good in a
// minute.
void tell_others(const config::Cluster& cluster) {
  if (!cluster.enabled || cluster.redis.empty()) return;
  try {
    const auto told =
        child::run({{std::string(paths::kBin) + "asp-sessions", "--publish"}, {}, {}}, "", 4096, kPatienceSeconds);
    if (told.status != tool::yes)
      logging::debug1("The other nodes are not told of the sessions here: {}", logging::escape(told.err));
  } catch (const tool::Failure& failure) {
    logging::error("The other nodes are not told of the sessions here: {}", logging::escape(failure.what()));
  }
}

// Where systemd does not hold the socket, nobody else starts a killed asp-lease again. It locks that file while it
// waits for callers, and removes it when it is told to end.
void revive_lease() {
  {
    const Fd file(::open(paths::kLeaseDoor, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!file || ::flock(file.get(), LOCK_SH | LOCK_NB) != 0) return;
  }
  const Fd null = fd::open("/dev/null", O_RDWR);
  child::spawn({.argv = {std::string(paths::kLibexec) + "asp-lease"},
                .environment = {},
                .mapping = {{null.get(), STDIN_FILENO}, {null.get(), STDOUT_FILENO}, {null.get(), STDERR_FILENO}},
                .outlives_us = true})
      .release();
  logging::event("Started asp-lease again: it had died");
}

// If one part fails, the others are done all the same; the first reason is told at the end.
class Parts {
 public:
  template <typename Part>
  void run(Part part) {
    try {
      part();
    } catch (const tool::Failure& failure) {
      if (first_) logging::error("{}", logging::escape(failure.what()));
      else first_ = failure;
    }
  }
  void end() const {
    if (first_) throw *first_;
  }

 private:
  std::optional<tool::Failure> first_;
};

int run(int argc, char** argv) {
  const auto options = options::parse(argc, argv, "", kUsage);
  if (!options.operands.empty()) options::fail_usage(kUsage, "no operands are taken");
  if (::geteuid() != 0) throw tool::Failure(tool::not_permitted, "asp-reap must be run as root");
  Parts parts;
  parts.run(revive_lease);  // with all the rights that it starts with
  confine::keep_capabilities(confine::kReap);
  confine::forbid_dangerous();
  session::spool::prepare();
  parts.run(end_deserted);
  parts.run(reap_sessions);
  parts.run([] { lease::reap::all(); });
  const auto config = load_config();
  parts.run([&] { sweep_marks(config); });
  parts.run(session::keepers::sweep);
  if (config) tell_others(config->cluster);
  // Parts that may fail for want of room come last.
  if (config) parts.run([&] { prepare_log(config->rproxy.log_directory); });
  parts.end();
  return tool::yes;
}

}  // namespace

int main(int argc, char** argv) { return tool::guard("asp-reap", kUsage, run, argc, argv, tool::Audience::operators); }
