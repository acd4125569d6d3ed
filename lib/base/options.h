// base/options: getopt(3) wrapped so that every tool treats its command line alike.
//
//   auto options = options::parse(argc, argv, "ec:", kUsage);
//   if (options.has('e')) ...
//   options.operands  // what is left
//
// An unknown option, or a missing argument, is Failure{64} with the usage.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

struct option;

struct Options {
  std::map<char, std::string> given;                   // an option without argument: empty
  std::vector<std::pair<char, std::string>> in_order;  // the same with repeats, as they were given
  std::vector<std::string> operands;

  bool has(char letter) const { return given.count(letter) != 0; }
  std::string get(char letter, const std::string& otherwise) const;
};

namespace options {

// `letters` is as for getopt. Parsing stops at the first operand (POSIX), so a command line after it
// keeps its own options.
Options parse(int argc, char** argv, const char* letters, const char* usage);

// Does the same with long options (getopt_long(3)), each of which has a letter of its own as `val`.
// The table ends with an empty one.
Options parse(int argc, char** argv, const char* letters, const ::option* long_options, const char* usage);

// The same for words without a program's name, and with long options alone.
Options parse(const std::vector<std::string>& words, const ::option* long_options, const char* usage);

[[noreturn]] void fail_usage(const char* usage, const std::string& why);

// A decimal number within [low, high]; Failure{64} that names the option.
long number(const std::string& text, char letter, long low, long high);

}  // namespace options
