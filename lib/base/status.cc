#include "base/status.h"

#include <algorithm>
#include <charconv>

#include <fmt/core.h>

#include "base/decimal.h"
#include "base/failure.h"
#include "base/logging.h"

namespace status {
namespace {

bool is_plain(std::string_view value) {
  return !value.empty() && std::all_of(value.begin(), value.end(),
                                       [](unsigned char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '\\'; });
}

std::string quote(std::string_view value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"') out += "\\\"";
    else out += logging::escape({&c, 1});
  }
  return out + "\"";
}

[[noreturn]] void malformed(std::string_view line) {
  throw tool::Failure(tool::bad_input, fmt::format("status line '{}' is malformed", line.substr(0, 200)));
}

// Takes a quoted value off the front of `rest`, which begins after the opening quote.
std::optional<std::string> unquote(std::string_view& rest) {
  std::string value;
  while (!rest.empty()) {
    const char c = rest[0];
    rest.remove_prefix(1);
    if (c == '"') return value;
    if (c != '\\') {
      value += c;
      continue;
    }
    if (rest.empty()) return std::nullopt;
    const char escaped = rest[0];
    rest.remove_prefix(1);
    if (escaped == '"' || escaped == '\\') {
      value += escaped;
      continue;
    }
    unsigned byte = 0;
    if (escaped != 'x' || rest.size() < 2) return std::nullopt;
    const auto parsed = std::from_chars(rest.data(), rest.data() + 2, byte, 16);
    if (parsed.ptr != rest.data() + 2) return std::nullopt;
    value += static_cast<char>(byte);
    rest.remove_prefix(2);
  }
  return std::nullopt;
}

}  // namespace

Line& Line::with(std::string_view name, std::string_view value) {
  words.emplace_back(name, value);
  return *this;
}

std::string Line::get(std::string_view name) const {
  for (const auto& [key, value] : words) {
    if (key == name) return value;
  }
  return {};
}

std::string Line::text() const {
  std::string out = event;
  for (const auto& [name, value] : words) out += fmt::format(" {}={}", name, is_plain(value) ? value : quote(value));
  return out + "\n";
}

Line parse(std::string_view line) {
  const std::string_view whole = line;
  const auto event_end = std::min(line.find(' '), line.size());
  Line parsed{std::string(line.substr(0, event_end)), {}};
  if (!is_plain(parsed.event) || parsed.event.find('=') != std::string::npos) malformed(whole);
  line.remove_prefix(event_end);
  while (!line.empty()) {
    line.remove_prefix(1);  // the space
    const auto equals = line.find('=');
    if (equals == line.npos || !is_plain(line.substr(0, equals))) malformed(whole);
    const std::string name(line.substr(0, equals));
    line.remove_prefix(equals + 1);
    if (!line.empty() && line[0] == '"') {
      line.remove_prefix(1);
      auto value = unquote(line);
      if (!value || (!line.empty() && line[0] != ' ')) malformed(whole);
      parsed.with(name, *value);
    } else {
      const auto end = std::min(line.find(' '), line.size());
      if (!is_plain(line.substr(0, end))) malformed(whole);
      parsed.with(name, line.substr(0, end));
      line.remove_prefix(end);
    }
  }
  return parsed;
}

Line failed(const tool::Failure& failure) {
  Line line{"failed", {}};
  line.with("code", std::to_string(failure.code())).with("reason", failure.what());
  if (!failure.told().empty()) line.with("told", failure.told());
  if (failure.logged()) line.with("logged", "true");
  return line;
}

tool::Failure failure_of(const Line& failed, const std::string& before) {
  const tool::Failure failure(failure_code(failed), before + failed.get("reason"), failed.get("told"));
  return failure.as_logged(failed.get("logged") == "true");
}

tool::Exit failure_code(const Line& failed) {
  const auto code = parse_decimal(failed.get("code"), tool::usage, 255);
  return code && tool::is_exit(static_cast<int>(*code)) ? static_cast<tool::Exit>(*code) : tool::internal;
}

}  // namespace status
