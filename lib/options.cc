#include "options.h"

#include <fmt/core.h>
#include <getopt.h>

#include "decimal.h"
#include "tool.h"

std::string Options::get(char letter, const std::string& otherwise) const {
  const auto found = given.find(letter);
  return found == given.end() ? otherwise : found->second;
}

namespace options {

void fail_usage(const char* usage, const std::string& why) {
  throw tool::Failure(tool::usage, fmt::format("{}; usage: {}", why, usage));
}

Options parse(int argc, char** argv, const char* letters, const char* usage) {
  Options parsed;
  const std::string posix = std::string("+:") + letters;
  ::opterr = 0;
  ::optind = 1;
  for (int letter; (letter = ::getopt(argc, argv, posix.c_str())) != -1;) {
    if (letter == '?') fail_usage(usage, fmt::format("unknown option -{}", static_cast<char>(::optopt)));
    if (letter == ':') fail_usage(usage, fmt::format("-{} needs an argument", static_cast<char>(::optopt)));
    parsed.given[static_cast<char>(letter)] = ::optarg ? ::optarg : "";
    parsed.in_order.emplace_back(static_cast<char>(letter), ::optarg ? ::optarg : "");
  }
  parsed.operands.assign(argv + ::optind, argv + argc);
  return parsed;
}

long number(const std::string& text, char letter, long low, long high) {
  if (const auto value = parse_decimal(text, low, high)) return *value;
  throw tool::Failure(tool::usage, fmt::format("-{} {}: not a number from {} to {}", letter, text, low, high));
}

}  // namespace options
