#include "verdict.h"

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/logging.h"
#include "ssh/upstream_command.h"

namespace doctor {
namespace {

constexpr std::string_view kMark = " - ";  // before a cure

const char* word_of(Grade grade) {
  switch (grade) {
    case Grade::ok: return "ok";
    case Grade::warn: return "warn";
    case Grade::fail: return "FAIL";
  }
  return "";
}

}  // namespace

std::string line_of(const Steps& steps, const std::string& remark) {
  std::string line;
  for (const auto& step : steps) line += (line.empty() ? "" : "; ") + upstream::shell_command(step);
  return remark.empty() ? line : fmt::format("{}  # {}", line, remark);
}

std::string unlike_cure(std::string_view what, std::string_view mark) {
  std::string out = logging::escape(what);
  const std::size_t blank = mark.find(' ');
  for (auto at = out.find(mark); at != out.npos; at = out.find(mark, at)) out.replace(at + blank, 1, "\\x20");
  return out;
}

std::string pasteable(std::string_view cure) {
  std::string out;
  for (const char c : cure) out += c == '\\' ? "\\" : logging::escape({&c, 1});
  return out;
}

std::string text(const std::vector<Finding>& findings) {
  std::string lines;
  for (const auto& [name, verdict] : findings) {
    const std::string cure = verdict.cure.empty() ? "" : std::string(kMark) + pasteable(verdict.cure);
    lines += fmt::format("{:<5} {}{}\n", word_of(verdict.grade),
                         unlike_cure(fmt::format("{}: {}", name, verdict.what), kMark), cure);
  }
  return lines;
}

std::string json(const std::vector<Finding>& findings) {
  using Json = nlohmann::ordered_json;
  std::string lines = "[";
  for (const auto& [name, verdict] : findings) {
    const Json object{
        {"grade", word_of(verdict.grade)}, {"name", name}, {"what", verdict.what}, {"cure", verdict.cure}};
    lines += (lines.size() > 1 ? ",\n " : "\n ") + object.dump(-1, ' ', true, Json::error_handler_t::replace);
  }
  return lines + (findings.empty() ? "]\n" : "\n]\n");
}

bool any_failed(const std::vector<Finding>& findings) {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& finding) { return finding.verdict.grade == Grade::fail; });
}

}  // namespace doctor
