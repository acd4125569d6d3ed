#include "item.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/core.h>

#include "base/failure.h"
#include "charset.h"
#include "config/value.h"
#include "config/xml.h"

namespace asconfigurator {
namespace {

using config::schema::Item;
using config::schema::Path;

constexpr std::string_view kNull = "AS_NULL";
constexpr std::string_view kHint = "asuserdata -+ lists the names";

struct Command {
  std::string_view name;
  Path section;
  std::string_view key;  // the name that says which account; empty: there is only one such section
};

const std::vector<Command>& commands() {
  static const std::vector<Command> all = {
      {"set_server_data", {"server"}, ""},
      {"set_node_data", {"default"}, ""},
      {"set_user_data", {"aaa", "realms", "realm", "users", "user"}, "user_name"},
      {"set_group_data", {"aaa", "realms", "realm", "groups", "group"}, "group_name"},
  };
  return all;
}

[[noreturn]] void fail(const std::string& why) { throw tool::Failure(tool::usage, why); }

std::string joined(const std::vector<std::string>& words, std::string_view last) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? last : ", ";
    text += words[i];
  }
  return text;
}

// The parts of `text` between semicolons; \; is unescaped.
std::vector<std::string> parts_of(std::string_view text) {
  std::vector<std::string> parts(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && text.substr(i + 1).starts_with(';')) parts.back() += text[++i];
    else if (text[i] == ';') parts.emplace_back();
    else parts.back() += text[i];
  }
  return parts;
}

// user for set_user_data
std::string_view short_name(const Command& command) {
  constexpr std::size_t kBefore = std::string_view("set_").size();
  constexpr std::size_t kBehind = std::string_view("_data").size();
  return command.name.substr(kBefore, command.name.size() - kBefore - kBehind);
}

const Command& command_of(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& command : commands()) {
    if (command.name == name || short_name(command) == name) return command;
    names.emplace_back(command.name);
  }
  fail(fmt::format("'{}' is not a command; there are {}, as in set_server_data;rproxy_enabled,true", name,
                   joined(names, " and ")));
}

// The edit distance: how many letters must be inserted, deleted or replaced.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

// At most three names that `wanted` may have meant, the likeliest first.
std::vector<std::string> nearest(const std::vector<Item>& items, const std::string& wanted) {
  constexpr std::size_t kMaxCompared = 100;
  constexpr std::size_t kMaxSuggestions = 3;
  if (wanted.empty() || wanted.size() > kMaxCompared) return {};
  std::vector<std::pair<std::size_t, std::string>> found;
  for (const auto& item : items) {
    const auto far = distance(wanted, item.name);
    if (far <= item.name.size() / 3 || item.name.ends_with("_" + wanted)) found.emplace_back(far, item.name);
  }
  std::sort(found.begin(), found.end());
  if (found.size() > kMaxSuggestions) found.resize(kMaxSuggestions);
  std::vector<std::string> names;
  for (auto& [far, name] : found) names.push_back(std::move(name));
  return names;
}

// The name by the alias of its element, which is accepted, too; empty: no alias.
std::string other_name(const Item& item) {
  const auto& option = item.option();
  if (option.alias.empty() || !item.name.ends_with(option.name)) return {};
  return item.name.substr(0, item.name.size() - option.name.size()) + std::string(option.alias);
}

std::optional<Item> find_item(const Command& command, const std::string& name) {
  for (auto& item : config::schema::items(command.section)) {
    if (item.name == name || other_name(item) == name) return item;
  }
  return std::nullopt;
}

[[noreturn]] void fail_unknown(const Command& command, const std::string& name) {
  std::vector<std::string> others;
  for (const auto& other : commands()) {
    if (find_item(other, name)) others.emplace_back(other.name);
  }
  if (!others.empty()) fail(fmt::format("{} is not for {} but for {}", name, command.name, joined(others, " and ")));
  const auto meant = nearest(config::schema::items(command.section), name);
  const auto question = meant.empty() ? "" : fmt::format("; did you mean {}?", joined(meant, " or "));
  fail(fmt::format("'{}' is not a name of {}{} ({})", name, command.name, question, kHint));
}

// The value as the XML parser would return it: valid UTF-8, of characters that XML allows, without
// white space around it. Absent: not valid.
std::optional<std::string> as_parsed(const std::string& value) {
  try {
    return config::xml::parse("<v>" + escaped(value, Charset::utf8) + "</v>", "").text;
  } catch (const tool::Failure&) {
    return std::nullopt;
  }
}

std::string text_of(const std::string& name, const std::string& value) {
  const auto text = as_parsed(value);
  if (!text) fail(name + ": the value is not UTF-8, or has characters that XML does not allow");
  if (text->empty()) fail(fmt::format("{} has no value; {} resets it to its default", name, kNull));
  return *text;
}

std::optional<std::string> value_of(const Item& item, const std::string& given) {
  const std::string value = text_of(item.name, given);
  if (value == kNull) return std::nullopt;
  const auto& option = item.option();
  if (config::schema::accepts(option, value)) return value;
  if (const auto highest = config::schema::highest_instead(option, value)) {
    fmt::print(stderr, "asconfigurator: warning: {}: {} counts as {}, the highest value allowed\n", item.name, value,
               *highest);
    return std::to_string(*highest);
  }
  const bool secret = option.value == config::schema::Value::secret;
  fail(fmt::format("{}: {} is not valid; expected {}", item.name, secret ? "the value" : "'" + value + "'",
                   config::schema::expected(option)));
}

}  // namespace

std::vector<Change> parse_item(std::string_view text) {
  if (!config::value::is_text(text)) fail("an item has control characters; does the file have DOS line ends?");
  auto parts = parts_of(text);
  for (auto& part : parts) part.erase(0, part.find_first_not_of(' '));
  if (parts.size() > 1 && parts.back().empty()) parts.pop_back();
  parts[0].erase(parts[0].find_last_not_of(' ') + 1);
  const Command& command = command_of(parts[0]);
  std::string account;
  std::vector<Change> changes;
  for (auto part = parts.begin() + 1; part != parts.end(); ++part) {
    const auto comma = part->find(',');
    std::string name = part->substr(0, comma);
    name.erase(name.find_last_not_of(' ') + 1);
    if (comma == part->npos)
      fail(fmt::format("'{}' lacks a value: NAME,VALUE is needed (a semicolon in a value has a backslash before it)",
                       name));
    const std::string value = part->substr(comma + 1);
    if (!command.key.empty() && name == command.key) {
      if (!account.empty()) fail(fmt::format("{} is given twice", name));
      account = text_of(name, value);
      if (account == kNull) fail(fmt::format("{}: {} is not a name", name, kNull));
      continue;
    }
    auto item = find_item(command, name);
    if (!item) fail_unknown(command, name);
    const auto wanted = value_of(*item, value);
    changes.push_back({command.section, "", std::move(*item), wanted});
  }
  if (!command.key.empty() && account.empty())
    fail(fmt::format("{} needs {},NAME, as in {};{},faspex;read_allowed,true", command.name, command.key, command.name,
                     command.key));
  if (changes.empty()) fail(fmt::format("{} has nothing to set ({})", command.name, kHint));
  for (auto& change : changes) change.account = account;
  return changes;
}

}  // namespace asconfigurator
