#include "verdict.h"

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/logging.h"
#include "ssh/upstream_command.h"

namespace doctor {
namespace {

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

std::string pasteable(std::string_view cure) {
  std::string out;
  for (const char c : cure) out += c == '\\' ? "\\" : logging::escape({&c, 1});
  return out;
}

std::string text(const std::vector<Finding>& findings) {
  std::string lines;
  for (const auto& [name, verdict] : findings) {
    const std::string cure = verdict.cure.empty() ? "" : " - " + pasteable(verdict.cure);
    lines += fmt::format("{:<5} {}{}\n", word_of(verdict.grade),
                         logging::escape(fmt::format("{}: {}", name, verdict.what)), cure);
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
