// asp-reap: makes the firewall hold the rules of the living sessions and leases, no more and no less;
// asp-reap(8). cron runs it every minute: it prints nothing, not even on stdout, when there is nothing
// to do.
#include <unistd.h>

#include <optional>
#include <string>
#include <vector>

#include "balance/balance.h"
#include "base/child.h"
#include "base/log_file.h"
#include "base/logging.h"
#include "base/options.h"
#include "base/paths.h"
#include "base/tool.h"
#include "config/config.h"
#include "firewall/border.h"
#include "firewall/reap.h"
#include "lease/reap.h"
#include "session/keepers.h"
#include "session/spool.h"

namespace {

constexpr char kUsage[] = "asp-reap";
constexpr int kPatienceSeconds = 20;

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

int run(int argc, char** argv) {
  const auto options = options::parse(argc, argv, "", kUsage);
  if (!options.operands.empty()) options::fail_usage(kUsage, "no operands are taken");
  if (::geteuid() != 0) throw tool::Failure(tool::not_permitted, "asp-reap must be run as root");
  session::spool::prepare();
  reap_sessions();
  lease::reap::all();
  const auto config = load_config();
  sweep_marks(config);
  session::keepers::sweep();
  // Sessions cannot make their own log file, for instance after a rotation.
  if (config) log_file::prepare(config->rproxy.log_directory);
  if (config) tell_others(config->cluster);
  return tool::yes;
}

}  // namespace

int main(int argc, char** argv) { return tool::guard("asp-reap", run, argc, argv, tool::Audience::operators); }
