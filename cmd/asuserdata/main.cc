// asuserdata: shows what aspera.conf may contain, whether it is valid, and the values in force for one
// user or for all; asuserdata(8).
#include <unistd.h>

#include <fmt/core.h>

#include "advice.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/options.h"
#include "base/paths.h"
#include "base/tool.h"
#include "config/config.h"
#include "config/schema.h"
#include "effective.h"
#include "spec.h"

namespace {

constexpr char kUsage[] = "asuserdata [-b] [-t] {-s | -+ | -v | -a | -u user | -g group} [-c aspera.conf]";

int validate(const std::string& path) {
  const auto config = config::load(path);
  auto advice = asuserdata::advice(config.rproxy);
  const auto document = config::load_document(path);
  for (auto& more : asuserdata::docroot_advice(document)) advice.push_back(std::move(more));
  for (auto& odd : config::schema::oddities(document)) advice.push_back({odd.line, std::move(odd.text)});
  for (const auto& line : advice) fmt::print(stderr, "{}:{}: {}\n", path, line.at, line.text);
  io::write_all(STDOUT_FILENO, path + ": valid\n");
  return tool::yes;
}

int run(int argc, char** argv) {
  const auto options = options::parse(argc, argv, "svau:g:btc:+", kUsage);
  const std::string path = options.get('c', paths::kConfig);
  const auto count = [&](char letter) { return options.has(letter) ? 1U : 0U; };
  const std::size_t others = count('c') + count('b') + count('t');  // -b and -t change nothing
  const std::size_t asked = options.given.size() - others;
  if (!options.operands.empty()) options::fail_usage(kUsage, "no operands are taken");
  if (asked != 1) options::fail_usage(kUsage, "one of -s, -+, -v, -a, -u and -g is needed");

  if (options.has('v')) return validate(path);
  std::string answer;
  if (options.has('s')) answer = asuserdata::spec(asuserdata::Names::no);
  if (options.has('+')) answer = asuserdata::spec(asuserdata::Names::yes);
  if (options.has('a')) answer = asuserdata::everything(path);
  if (options.has('u')) answer = asuserdata::of_user(path, options.get('u', ""));
  if (options.has('g')) answer = asuserdata::of_group(path, options.get('g', ""));
  io::write_all(STDOUT_FILENO, answer);
  return tool::yes;
}

}  // namespace

int main(int argc, char** argv) {
  return tool::guard("asuserdata", kUsage, run, argc, argv, tool::Audience::operators);
}
