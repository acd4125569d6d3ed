// asp-reap: make the firewall hold the rules of the living sessions, no more and
// no less; asp-reap(8).
// Run by cron each minute: silent, on stdout too, when there is nothing to do.
#include <unistd.h>

#include "log_file.h"
#include "options.h"
#include "reap.h"
#include "spool.h"
#include "tool.h"

namespace {

constexpr char kUsage[] = "asp-reap";

int run(int argc, char** argv) {
  const auto options = options::parse(argc, argv, "", kUsage);
  if (!options.operands.empty()) options::fail_usage(kUsage, "no operands are taken");
  if (::geteuid() != 0) throw tool::Failure(tool::not_permitted, "asp-reap must be run as root");
  spool::prepare();
  const spool::FirewallLock lock;
  reap::all();
  // Sessions cannot make it themselves, for instance after a rotation.
  log_file::prepare_as_configured();
  return tool::yes;
}

}  // namespace

int main(int argc, char** argv) { return tool::guard("asp-reap", run, argc, argv, tool::Audience::operators); }
