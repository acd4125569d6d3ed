// Checks of a transfer node: of those accounts whose commands run on this host.
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <set>

#include <fmt/core.h>

#include "base/accounts.h"
#include "base/confine.h"
#include "base/paths.h"
#include "config/config.h"
#include "doctor.h"
#include "judge.h"
#include "tried_as.h"
#include "who/file_access.h"

namespace doctor {
namespace {

bool has_aspshell(const passwd& entry) {
  const std::string shell = entry.pw_shell;
  return shell == paths::kShell || shell == "/usr/bin/aspshell" || shell == std::string(paths::kBin) + "aspshell";
}

// Those with aspshell as their shell, and those that aspera.conf names.
std::set<std::string> candidates(const config::xml::Element& document) {
  std::set<std::string> found;
  ::setpwent();
  while (const passwd* entry = ::getpwent()) {
    if (has_aspshell(*entry)) found.insert(entry->pw_name);
  }
  ::endpwent();
  for (const auto* user : file_access::all_users(document)) {
    if (const auto name = file_access::name_of(*user); accounts::exists(name)) found.insert(name);
  }
  return found;
}

// What keeps `user` from the docroot; empty: nothing.
std::string complaint(const std::string& user, const std::string& docroot) {
  return tried_as::ask(user, [&]() -> std::string {
    struct stat status {};
    if (::stat(docroot.c_str(), &status) != 0) return std::strerror(errno);
    if (!S_ISDIR(status.st_mode)) return "is not a directory";
    return ::access(docroot.c_str(), X_OK) == 0 ? "" : std::strerror(errno);
  });
}

Verdicts of_user(const std::string& user, const file_access::Access& access) {
  if (access.areas.empty())
    return {
        fail(fmt::format("{} is to be served on this host, and has no docroot", user),
             line_of({{"asconfigurator", "-x", fmt::format("set_user_data;user_name,{0};absolute,/srv/{0}", user)}}))};
  Verdicts found;
  for (const auto& area : access.areas) {
    const std::string why = area.path.starts_with('/') ? complaint(user, area.path) : "is not a directory of this host";
    if (!why.empty())
      found.push_back(fail(fmt::format("docroot {} of {}: {}", area.path, user, why),
                           command_at(area.path, {"install", "-d", "-m", "700", "-o", user, "-g", user, area.path})));
  }
  const passwd* const entry = ::getpwnam(user.c_str());
  if (entry && !has_aspshell(*entry) && entry->pw_uid != 0)
    found.push_back(warn(
        fmt::format("the shell of {} is not {}: nothing confines it, unless ForceCommand does", user, paths::kShell),
        line_of({{"chsh", "-s", paths::kShell, user}})));
  return found;
}

// True if what is in `home` can be changed by whoever may write into `area`.
bool holds(const file_access::Area& area, const std::string& home) {
  const std::string above = area.path.ends_with('/') ? area.path : area.path + "/";
  return area.write && (home + "/.ssh/").starts_with(above);
}

// What leads past the confinement: sshd itself, and keys that the user can add.
Verdicts detours(const std::map<std::string, file_access::Access>& served) {
  std::map<std::string, std::vector<std::string>> texts;
  Verdicts found;
  for (const auto& [user, access] : served) {
    const std::string settings = settings_of(user);
    if (settings.empty()) continue;
    for (const auto& text : judge_detours(settings)) texts[text].push_back(user);
    const passwd* const entry = ::getpwnam(user.c_str());
    const std::string home = entry ? entry->pw_dir : "";
    if (home.empty() || !has_keys_at_home(settings)) continue;
    for (const auto& area : access.areas) {
      if (holds(area, home))
        found.push_back(
            warn(fmt::format("docroot {} of {} holds {}/.ssh: who writes there can add keys", area.path, user, home),
                 line_of({{"asp-adduser", "-s", "-m", user}}) + "; " + kSampleInForce));
    }
  }
  for (const auto& [text, users] : texts)
    found.push_back(
        warn(fmt::format("{} for {}: it leads past the docroot, unless the key has 'restrict'", text, listed(users)),
             for_each(users, {"usermod", "-aG", "sallyport", "USER"}) + "; " + kSampleInForce));
  return found;
}

Verdicts landlock(const std::vector<file_access::Access>& served) {
  if (confine::has_landlock()) return {};
  for (const auto& access : served) {
    if (access.landlock_required)
      return {fail("the kernel has no Landlock, so nobody is served",
                   "# boot a kernel from 5.13 on, with landlock among the lsm= of its command line")};
  }
  return {warn("the kernel has no Landlock: programs of other makers reach all files",
               "# boot a kernel from 5.13 on, with landlock among the lsm= of its command line")};
}

Verdicts node(const Patient& patient) {
  if (!patient.config) return {};
  const auto document = config::load_document(paths::kConfig, config::Author::root);
  std::vector<std::string> users;
  std::vector<file_access::Access> served;
  std::map<std::string, file_access::Access> tried;
  Verdicts found;
  for (const auto& user : candidates(document)) {
    auto access = file_access::of_user(document, user);
    if (!access.here) continue;
    users.push_back(user);
    if (users.size() <= tried_as::kMostUsers) {
      for (auto& verdict : of_user(user, access)) found.push_back(std::move(verdict));
      const passwd* const entry = ::getpwnam(user.c_str());
      if (entry && has_aspshell(*entry)) tried.emplace(user, access);
    }
    served.push_back(std::move(access));
  }
  if (users.empty()) return {};
  for (auto& verdict : detours(tried)) found.push_back(std::move(verdict));
  for (auto& verdict : landlock(served)) found.push_back(std::move(verdict));
  for (const char* const program : {"ascmd", "asp-cp"}) {
    if (::access((paths::kBin + std::string(program)).c_str(), X_OK) != 0)
      found.push_back(fail(fmt::format("{}{} is missing", paths::kBin, program),
                           "apt-get install --reinstall sallyport  # or make install"));
  }
  if (found.empty()) found.push_back(ok(fmt::format("serves {} in their docroots", listed(users))));
  return found;
}

}  // namespace

bool is_node_only(const Patient& patient) {
  if (!patient.config || patient.rproxy->enabled || patient.proxy->enabled || patient.cluster) return false;
  return !node(patient).empty();
}

const std::vector<Condition>& node_conditions() {
  static const std::vector<Condition> conditions{{"node", node}};
  return conditions;
}

}  // namespace doctor
