// asp-balance: puts the hosts of the route on stdin into the order in which a session would try them
// now; asp-balance(1).
#include <unistd.h>

#include <fmt/core.h>

#include "balance/balance.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/options.h"
#include "base/paths.h"
#include "base/record.h"
#include "base/tool.h"
#include "config/config.h"
#include "session/route.h"

namespace {

constexpr char kUsage[] = "asp-balance [-n] < route";

// "10.0.0.11:22: faulty since 2026-11-22T15:04:05Z, 87 s left: connect 10.0.0.11:22: Connection refused"
std::string why(const balance::Mark& mark) {
  const std::string left =
      mark.state != balance::State::maintenance ? fmt::format(", {} s left", mark.left().count()) : "";
  return fmt::format("{}: {} since {}{}: {}", mark.target(), balance::name_of(mark.state), mark.since, left,
                     mark.reason);
}

// Shares marks as a session would, but a route on stdin needs no aspera.conf.
void share() {
  try {
    if (::access(paths::kConfig, F_OK) == 0)
      balance::share(config::load(paths::kConfig, config::Author::root).cluster, balance::Haste::session);
  } catch (const tool::Failure& failure) {
    fmt::print(stderr, "asp-balance: only the turns and marks of this host are used: {}\n",
               logging::escape(failure.what()));
  }
}

int run(int argc, char** argv) {
  using Turn = balance::Turn;
  const auto options = options::parse(argc, argv, "n", kUsage);
  if (!options.operands.empty()) options::fail_usage(kUsage, "no operands are taken");
  if (::geteuid() != 0)
    throw tool::Failure(tool::not_permitted,
                        "only root may read and change turns and marks: run it as root, or with sudo");
  session::Route route = session::Route::from_record(record::read_one(STDIN_FILENO));
  session::spool::prepare();
  balance::prepare();
  share();
  balance::Choice choice(route, "asp-balance", options.has('n') ? Turn::look : Turn::take);
  route.hosts.clear();
  while (const auto host = choice.next()) route.hosts.push_back(*host);
  for (const auto& mark : choice.passed_over())
    fmt::print(stderr, "asp-balance: passed over {}\n", logging::escape(why(mark)));
  if (route.hosts.empty())
    throw tool::Failure(tool::temporary, fmt::format("all servers of rule {} are faulty", route.rule));
  io::write_all(STDOUT_FILENO, route.to_record().text());
  return tool::yes;
}

}  // namespace

int main(int argc, char** argv) {
  return tool::guard("asp-balance", kUsage, run, argc, argv, tool::Audience::operators);
}
