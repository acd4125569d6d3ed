#include <doctest/doctest.h>
#include <getopt.h>

#include <string>
#include <utility>
#include <vector>

#include "base/failure.h"
#include "base/options.h"

namespace {

constexpr char kUsage[] = "tool [-v] [-n number] [word...]";
constexpr option kLong[] = {
    {"verbose", no_argument, nullptr, 'v'}, {"number", required_argument, nullptr, 'n'}, {nullptr, 0, nullptr, 0}};

Options parse(std::vector<std::string> words) {
  std::vector<char*> argv;
  words.insert(words.begin(), "tool");
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  return options::parse(static_cast<int>(words.size()), argv.data(), "vn:", kLong, kUsage);
}

std::string complaint(const std::vector<std::string>& words) {
  try {
    parse(words);
  } catch (const tool::Failure& failure) {
    CHECK(failure.code() == tool::usage);
    return failure.what();
  }
  return "";
}

}  // namespace

TEST_CASE("options: letters and long names are the same, with their values") {
  for (const auto& words : std::vector<std::vector<std::string>>{{"-v", "-n", "5", "a", "b"},
                                                                 {"-vn5", "a", "b"},
                                                                 {"--verbose", "--number=5", "a", "b"},
                                                                 {"--number", "5", "-v", "--", "a", "b"}}) {
    const Options parsed = parse(words);
    CHECK(parsed.has('v'));
    CHECK(parsed.get('v', "otherwise") == "");
    CHECK(parsed.get('n', "otherwise") == "5");
    CHECK(parsed.operands == std::vector<std::string>{"a", "b"});
  }
  CHECK_FALSE(parse({}).has('v'));
  CHECK(parse({}).get('n', "otherwise") == "otherwise");
}

TEST_CASE("options: what comes behind the first operand is none of ours") {
  const Options parsed = parse({"-v", "command", "-n", "5", "-x"});
  CHECK_FALSE(parsed.has('n'));
  CHECK(parsed.operands == std::vector<std::string>{"command", "-n", "5", "-x"});
}

TEST_CASE("options: of what is given twice the last counts, and all are known in their order") {
  const Options parsed = parse({"-n", "1", "-v", "-n", "2"});
  CHECK(parsed.get('n', "") == "2");
  CHECK(parsed.in_order == std::vector<std::pair<char, std::string>>{{'n', "1"}, {'v', ""}, {'n', "2"}});
}

TEST_CASE("options: what is unknown or lacks its value is named, but never with a value") {
  const std::string usage = std::string("; usage: ") + kUsage;
  CHECK(complaint({"-x"}) == "unknown option -x" + usage);
  CHECK(complaint({"-vx"}) == "unknown option -x" + usage);
  CHECK(complaint({"--secret=abc"}) == "unknown option --secret" + usage);
  CHECK(complaint({"-n"}) == "--number needs an argument" + usage);
  CHECK(complaint({"--number"}) == "--number needs an argument" + usage);
  CHECK(complaint({"--verbose=yes"}).find("yes") == std::string::npos);
}

TEST_CASE("options: a number has limits, and who exceeds them is told") {
  CHECK(options::number("1", 'n', 1, 5) == 1);
  CHECK(options::number("5", 'n', 1, 5) == 5);
  for (const std::string text : {"0", "6", "", "1x", "-1"}) {
    CAPTURE(text);
    CHECK_THROWS_WITH_AS(options::number(text, 'n', 1, 5), ("-n " + text + ": not a number from 1 to 5").c_str(),
                         tool::Failure);
  }
}
