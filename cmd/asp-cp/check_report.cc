#include "check_report.h"

#include <unistd.h>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/io.h"
#include "base/logging.h"

namespace asp_cp {

void CheckReport::add(const char* state, const Finding& finding) {
  lines_.push_back({state, finding});
  if (command_.json || (command_.quiet && lines_.back().state == "ok")) return;
  std::string text = fmt::format("{:<11} {:<5} {}\n", finding.step, state, logging::escape(finding.says));
  if (!finding.ask.empty()) text += fmt::format("{:<18}{}\n", "", logging::escape(finding.ask));
  io::write_all(STDOUT_FILENO, text);
}

void CheckReport::doubtful(const Finding& finding) {
  add("NOTE", finding);
  code_ = tool::no;
}

void CheckReport::failed(const StepFailed& failure) {
  add("FAIL", failure.finding);
  code_ = failure.code();
}

int CheckReport::finish() const {
  if (!command_.json) return code_;
  auto steps = nlohmann::ordered_json::array();
  for (const auto& [state, finding] : lines_) {
    steps.push_back({{"step", finding.step},
                     {"state", state},
                     {"says", logging::escape(finding.says)},
                     {"ask", logging::escape(finding.ask)}});
  }
  const nlohmann::ordered_json all{{"host", command_.far.host}, {"status", code_}, {"steps", steps}};
  io::write_all(STDOUT_FILENO, all.dump(2) + "\n");
  return code_;
}

}  // namespace asp_cp
