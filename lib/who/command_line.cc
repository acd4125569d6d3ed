#include "who/command_line.h"

#include <algorithm>
#include <utility>

#include "config/config.h"

namespace command_line {
namespace {

constexpr std::string_view kNeedsShell = ";&|<>()`$#";

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A backslash inside double quotes escapes only these.
bool escapes_in_double_quotes(char c) { return c == '"' || c == '\\' || c == '$' || c == '`'; }

bool is_number(std::string_view word) {
  return !word.empty() && word.size() <= 10 && std::all_of(word.begin(), word.end(), is_digit);
}

// True for "%s", "%1s", "%12s".
bool is_word_pattern(std::string_view pattern) {
  return pattern.size() >= 2 && pattern.front() == '%' && pattern.back() == 's' &&
         std::all_of(pattern.begin() + 1, pattern.end() - 1, is_digit);
}

bool word_matches(const std::string& word, const std::string& pattern) {
  if (pattern == "%d") return is_number(word);
  if (is_word_pattern(pattern)) return !word.empty();
  return word == pattern;
}

// Patterns come from the administrator, so they are only split at blanks.
Words split_pattern(std::string_view pattern) {
  Words words;
  std::string word;
  for (const char c : std::string(pattern) + " ") {
    if (c != ' ') word += c;
    else if (!word.empty()) words.push_back(std::exchange(word, {}));
  }
  return words;
}

}  // namespace

std::optional<Words> split(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(text.ends_with("\r\n") ? 2 : 1);
  if (text.size() > kMaxBytes || std::any_of(text.begin(), text.end(), is_control)) return std::nullopt;
  Words words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote == '\'') {
      if (c == '\'') quote = 0;
      else word += c;
    } else if (c == '\\') {
      if (i + 1 == text.size()) return std::nullopt;
      const char next = text[++i];
      if (quote == '"' && !escapes_in_double_quotes(next)) word += c;
      word += next;
      in_word = true;
    } else if (quote == '"') {
      if (c == '"') quote = 0;
      else if (c == '$' || c == '`') return std::nullopt;
      else word += c;
    } else if (c == '\'' || c == '"') {
      quote = c;
      in_word = true;
    } else if (c == ' ') {
      if (in_word) words.push_back(std::exchange(word, {}));
      in_word = false;
    } else if (kNeedsShell.find(c) != kNeedsShell.npos) {
      return std::nullopt;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (quote != 0) return std::nullopt;
  if (in_word) words.push_back(std::move(word));
  return words;
}

bool matches(const Words& words, std::string_view pattern) {
  Words wanted = split_pattern(pattern);
  if (wanted.empty()) return false;
  const bool open_ended = wanted.size() > 1 && wanted.back() == "...";
  if (open_ended) wanted.pop_back();
  if (open_ended ? words.size() < wanted.size() : words.size() != wanted.size()) return false;
  return std::equal(
      wanted.begin(), wanted.end(), words.begin(),
      [](const std::string& pattern_word, const std::string& word) { return word_matches(word, pattern_word); });
}

const std::vector<config::Command>& built_in() {
  static const std::vector<config::Command> commands{
      {"ascp -S. -V1", true},    {"ascp4 -S.", true}, {"ascp --no-mgmt-port-files -M %d -S. -V1 %1s", true},
      {"async -q -S -s-", true}, {"ascmd", false},    {"ascmd -V2", false},
      {"asp-cp -S", true},
  };
  return commands;
}

std::optional<config::Command> find(const Words& words, const std::vector<config::Command>& list) {
  for (const auto& command : list) {
    if (matches(words, command.pattern)) return command;
  }
  return std::nullopt;
}

}  // namespace command_line
