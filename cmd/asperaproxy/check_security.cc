// Checks that asp-check.sh reports, too: ways around the restricted shell, and other holes.
#include <map>

#include <fmt/core.h>

#include "doctor.h"
#include "security.h"

namespace doctor {
namespace {

// Findings that do not prove a hole, or could not be judged.
bool is_doubtful(const std::string& check) {
  return check == "sshd_version" || check == "not_judged" || check == "keys_at_home";
}

// The same for many users is one line.
Verdicts of_check(const Patient& patient, const security::Check& check) {
  if (!patient.sshd_error.empty()) return {};  // as sshd says
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> of_users;
  const Grade grade = is_doubtful(check.name) ? Grade::warn : Grade::fail;
  Verdicts found;
  for (const auto& one : security::report(patient).findings) {
    if (one.check != check.name) continue;
    if (one.of_user) of_users[{one.what, one.cure}].push_back(one.subject);
    else found.push_back({grade, fmt::format("{} {}", one.subject, one.what), one.cure, {}});
  }
  for (const auto& [text, users] : of_users)
    found.push_back({grade, fmt::format("{} for {}", text.first, listed(users)), text.second, {}});
  if (found.empty()) found.push_back(ok("none"));
  return found;
}

}  // namespace

const std::vector<Condition>& security_conditions() {
  static const std::vector<Condition> all = [] {
    std::vector<Condition> conditions;
    for (const auto& check : security::checks()) {
      const std::string name = check.name;  // `sudo` is whether it works
      conditions.push_back(
          {name == "sudo" ? "grants" : name, [&](const Patient& patient) { return of_check(patient, check); }});
    }
    return conditions;
  }();
  return all;
}

}  // namespace doctor
