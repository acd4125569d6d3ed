#include "base/options.h"

#include <getopt.h>

#include <fmt/core.h>

#include "base/decimal.h"
#include "base/failure.h"

std::string Options::get(char letter, const std::string& otherwise) const {
  const auto found = given.find(letter);
  return found == given.end() ? otherwise : found->second;
}

namespace options {

Options parse(const std::vector<std::string>& words, const ::option* long_options, const char* usage) {
  std::vector<char*> argv{const_cast<char*>("")};
  for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  const int count = static_cast<int>(argv.size());
  argv.push_back(nullptr);
  return parse(count, argv.data(), "", long_options, usage);
}

void fail_usage(const char* usage, const std::string& why) {
  throw tool::Failure(tool::usage, fmt::format("{}; usage: {}", why, usage));
}

namespace {

// The option that getopt refused: -x or --name, without its value, which may be secret.
std::string culprit(char** argv, const ::option* long_options) {
  if (::optopt == 0) {
    const std::string word = argv[::optind - 1];
    return word.substr(0, word.find('='));
  }
  for (const ::option* one = long_options; one->name; ++one) {
    if (one->val == ::optopt) return fmt::format("--{}", one->name);
  }
  return fmt::format("-{}", static_cast<char>(::optopt));
}

}  // namespace

Options parse(int argc, char** argv, const char* letters, const char* usage) {
  static const option kNone[] = {{nullptr, 0, nullptr, 0}};
  return parse(argc, argv, letters, kNone, usage);
}

Options parse(int argc, char** argv, const char* letters, const ::option* long_options, const char* usage) {
  Options parsed;
  const std::string posix = std::string("+:") + letters;
  ::opterr = 0;
  ::optind = 0;  // also resets the position of an earlier call
  for (int letter; (letter = ::getopt_long(argc, argv, posix.c_str(), long_options, nullptr)) != -1;) {
    if (letter == '?') fail_usage(usage, "unknown option " + culprit(argv, long_options));
    if (letter == ':') fail_usage(usage, culprit(argv, long_options) + " needs an argument");
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
