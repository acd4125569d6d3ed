#include "setup_takeover.h"

#include <pwd.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/accounts.h"
#include "base/failure.h"
#include "base/paths.h"
#include "base/whole_file.h"
#include "doctor.h"
#include "session/spool.h"
#include "setup_original.h"
#include "who/authorized_keys.h"
#include "who/proxy_account.h"

namespace asperaproxy::setup {
namespace {

// sudo would let nobody in with a file that it cannot read.
void require_valid(const std::string& text) {
  session::spool::prepare();
  const std::string file = fmt::format("{}/setup-sudoers", paths::kRun);
  whole_file::write(file, text);
  const auto checked = doctor::ask({"/usr/sbin/visudo", "-cqf", file});
  std::filesystem::remove(file);
  if (!checked.well()) throw tool::Failure(tool::os, "visudo: " + checked.first_complaint());
}

std::vector<std::string> with_aspshell() {
  std::vector<std::string> names;
  ::setpwent();
  while (const passwd* const one = ::getpwent()) {
    if (std::string_view(one->pw_shell).ends_with("/aspshell")) names.emplace_back(one->pw_name);
  }
  ::endpwent();
  return names;
}

// Why it must not be one of the proxy's; absent: it may.
std::optional<std::string> refusal_of(const std::string& name) {
  try {
    if (const auto account = proxy_account::find(name)) proxy_account::check_may_transfer_only(*account);
    return std::nullopt;
  } catch (const tool::Failure& failure) {
    return failure.what();
  }
}

bool is_member(const std::string& name) {
  const auto groups = accounts::groups_of(name);
  return std::find(groups.begin(), groups.end(), paths::kGroup) != groups.end() &&
         authorized_keys::read(name).has_value();
}

}  // namespace

Step old_grants_step(const Answers& answers, const Journal&) {
  Step step{"old grants", "nobody may run iptables-restore"};
  std::size_t kept = 0;
  std::vector<std::string> by_hand;
  for (const auto& [file, grants] : old_grants()) {
    for (const auto& line : grants.by_hand) by_hand.push_back(fmt::format("{}: {}", file, line));
    if (grants.deleted.empty()) continue;
    require_valid(grants.text);
    if (answers.sudoers) step.want({file, grants.text, 0440});
    else kept += grants.deleted.size();
  }
  if (kept > 0)
    step.state = fmt::format("{} lines of sudoers still let people rewrite the whole firewall: --sudoers delete", kept);
  if (!by_hand.empty()) step.state += fmt::format("; edit by hand: {}", fmt::join(by_hand, "; "));
  return step;
}

Step members_step(const Answers&, const Journal&) {
  const auto names = with_aspshell();
  Step step{"users", names.empty() ? "none has aspshell"
                                   : fmt::format("{} are in the group, with their keys", doctor::listed(names))};
  for (const auto& name : names) {
    if (is_member(name)) continue;
    if (const auto why = refusal_of(name)) {
      step.state += fmt::format("; not {}", *why);
      continue;
    }
    step.commands.push_back({{std::string(paths::kBin) + "asp-adduser", "-s", "-m", name}});
    step.touched.push_back(authorized_keys::path_of(name));
    const auto groups = accounts::groups_of(name);
    if (std::find(groups.begin(), groups.end(), paths::kGroup) == groups.end())
      step.undo.push_back({"/usr/bin/gpasswd", "-d", name, paths::kGroup});
  }
  return step;
}

}  // namespace asperaproxy::setup
