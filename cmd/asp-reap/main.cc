// asp-reap: make the firewall hold the rules of the living sessions, no more and
// no less; asp-reap(8).
// Run by cron each minute: silent, on stdout too, when there is nothing to do.
#include <unistd.h>

#include "config.h"
#include "log_file.h"
#include "options.h"
#include "paths.h"
#include "reap.h"
#include "spool.h"
#include "tool.h"

namespace {

constexpr char kUsage[] = "asp-reap";

// Sessions cannot make their own log, for instance after a rotation. Who needs
// aspera.conf says what is wrong with it.
void prepare_log() {
  std::string directory;
  try {
    directory = config::load(paths::kConfig, config::Author::root).rproxy.log_directory;
  } catch (const tool::Failure&) {
    return;
  }
  log_file::prepare(directory);
}

int run(int argc, char** argv) {
  const auto options = options::parse(argc, argv, "", kUsage);
  if (!options.operands.empty()) options::fail_usage(kUsage, "no operands are taken");
  if (::geteuid() != 0) throw tool::Failure(tool::not_permitted, "asp-reap must be run as root");
  spool::prepare();
  const spool::FirewallLock lock;
  reap::all();
  prepare_log();
  return tool::yes;
}

}  // namespace

int main(int argc, char** argv) { return tool::guard("asp-reap", run, argc, argv, tool::Audience::operators); }
