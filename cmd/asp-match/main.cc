// asp-match: answers with the route for the request on stdin; asp-match(1).
#include <unistd.h>

#include <fmt/core.h>

#include "base/accounts.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/options.h"
#include "base/paths.h"
#include "base/record.h"
#include "base/tool.h"
#include "config/config.h"
#include "session/request.h"
#include "session/rules.h"

namespace {

constexpr char kUsage[] = "asp-match [-e] [-c aspera.conf] < request";

int run(int argc, char** argv) {
  const auto options = options::parse(argc, argv, "ec:", kUsage);
  if (!options.operands.empty()) options::fail_usage(kUsage, "no operands are taken");
  const auto config = config::load(options.get('c', paths::kConfig));
  const auto request = session::Request::from_record(record::read_one(STDIN_FILENO));

  session::rules::Facts facts;
  facts.groups_of = accounts::groups_of;
  if (options.has('e')) {
    facts.explain = [](const std::string& line) { fmt::print(stderr, "{}\n", logging::escape(line)); };
  }
  const auto route = session::rules::first_match(config.rproxy, request, facts);
  if (!route) return tool::no;
  io::write_all(STDOUT_FILENO, route->to_record().text());
  return tool::yes;
}

}  // namespace

int main(int argc, char** argv) { return tool::guard("asp-match", run, argc, argv, tool::Audience::operators); }
