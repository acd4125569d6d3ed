// Checks of the internal servers: keys to log in with, and their host keys.
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

#include <fmt/core.h>

#include "balance/balance.h"
#include "base/accounts.h"
#include "base/failure.h"
#include "base/root_only.h"
#include "doctor.h"
#include "host_keys.h"
#include "session/rules.h"
#include "ssh/upstream_host_key.h"
#include "ssh/upstream_key.h"
#include "tried_as.h"

namespace doctor {
namespace {

bool may_use(const config::Rule& rule, const std::string& user) {
  if (rule.users.empty() && rule.groups.empty()) return true;
  if (std::find(rule.users.begin(), rule.users.end(), user) != rule.users.end()) return true;
  const auto groups = accounts::groups_of(user);
  return std::any_of(rule.groups.begin(), rule.groups.end(),
                     [&](const auto& group) { return std::find(groups.begin(), groups.end(), group) != groups.end(); });
}

// Tries the key as the user. Empty: all is well. "world: ..." when it works, but others can read it.
std::string try_key(const std::string& path) {
  upstream::Key::load(path);
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && (status.st_mode & (S_IROTH | S_IWOTH)) != 0) return "world: " + path;
  return "";
}

// Checks that root's key is out of the users' reach, and that asp-upstream will read it. Empty: all is
// well.
std::string try_key_for_users(const std::string& path) {
  try {
    upstream::Key::load(path);
  } catch (const tool::Failure& failure) {
    return failure.what();
  }
  if (root_only::complaint(path)) return path + ": must belong to root and be writable by root alone";
  return root_only::way_complaint(path).value_or("");
}

std::string try_key_of(const config::Rule& rule, const std::string& path, const std::string& user) {
  const std::string complaint = tried_as::ask(user, [&] { return try_key(path); });
  const bool of_user = path != rule.keyfile;
  if (complaint.empty() && !of_user && !rule.squash_user.empty()) return "shared: " + path;
  if (complaint.ends_with(": Permission denied") && !of_user) return try_key_for_users(path);
  return complaint;
}

// The same message for many users makes one line.
Verdicts keyfiles(const Patient& patient) {
  if (!patient.rproxy) return {warn("not looked at, since aspera.conf is wrong", "see config")};
  std::map<std::string, std::set<std::string>> complaints;
  std::set<std::pair<std::string, std::string>> tried;
  for (const auto& rule : patient.rproxy->rules) {
    for (const auto& user : patient.users) {
      const std::string path = session::rules::expand_user(rule.keyfile, user);
      if (!::getpwnam(user.c_str()) || !may_use(rule, user) || !tried.insert({path, user}).second) continue;
      const std::string complaint = try_key_of(rule, path, user);
      if (!complaint.empty()) complaints[complaint].insert(user);
    }
  }
  Verdicts found;
  for (const auto& [complaint, users] : complaints) {
    const std::string names = listed({users.begin(), users.end()});
    if (complaint.starts_with("world: ")) {
      const std::string path = complaint.substr(7);
      found.push_back(
          fail(fmt::format("everybody on this host can read or write {}", path), fmt::format("chmod o= {}", path)));
    } else if (complaint.starts_with("shared: ")) {
      const std::string path = complaint.substr(8);
      found.push_back(warn(fmt::format("{} can read the key of a squash_user, {}, and need not", names, path),
                           fmt::format("chown root:root {0}; chmod 600 {0}; make a new key if in doubt", path)));
    } else {
      found.push_back(fail(fmt::format("{}: {}", names, complaint),
                           "a private key without passphrase, of root's, or which that "
                           "user can read; or <users> that exclude that user from the rule"));
    }
  }
  if (found.empty() && !tried.empty()) found.push_back(ok("the keys are readable by asp-upstream for their users"));
  return found;
}

Verdicts host_keys_enrolled(const Patient& patient) {
  if (!patient.rproxy) return {warn("not looked at, since aspera.conf is wrong", "see config")};
  const std::string& path = patient.rproxy->known_hosts;
  const std::string text = host_keys::load(path);
  Verdicts found;
  std::set<std::string> names;
  for (const auto& rule : patient.rproxy->rules) {
    for (const auto& host : rule.hosts) {
      const std::string name = upstream::known_hosts_name(host);
      if (!names.insert(name).second) continue;
      const auto entries = known_hosts::find(text, name);
      if (known_hosts::types(entries.of_host).empty())
        found.push_back(fail(fmt::format("{} is not in {}{}", name, path, entries.unparsed_text()),
                             fmt::format("asperaproxy trust {}", host.text())));
    }
  }
  if (const auto wrong = root_only::complaint(path))
    found.push_back(fail(*wrong, fmt::format("chown root {0}; chmod 644 {0}", path)));
  for (const auto& user : patient.users) {
    if (!::getpwnam(user.c_str())) continue;
    const std::string complaint = tried_as::ask(user, [&] { return ::access(path.c_str(), R_OK) == 0 ? "" : "no"; });
    if (complaint.empty()) continue;
    found.push_back(fail(fmt::format("{} cannot read {}", user, path), fmt::format("chmod 644 {}", path)));
    break;
  }
  if (found.empty()) found.push_back(ok(fmt::format("{} hosts are in {}", names.size(), path)));
  return found;
}

// What sessions have met lately. A server that says this in the place of its version has had enough of log-ins that
// fail, and so refuses everybody: PerSourcePenalties of OpenSSH 9.8 and later.
constexpr char kPenalty[] = "Not allowed at this time";

Verdict judge_mark(const balance::Mark& mark) {
  const std::string host = mark.host.text();
  const std::string heal = "asperaproxy heal " + host;
  if (mark.reason.find(kPenalty) != std::string::npos)
    return fail(fmt::format("{} refuses this proxy, since log-ins from it have failed", host),
                "PerSourcePenaltyExemptList in sshd_config there, with the address of this proxy; " + heal);
  if (!mark.user.empty())
    return warn(fmt::format("{} does not let {} in: {}", host, mark.user, mark.reason), "mend that; " + heal);
  return warn(fmt::format("{} is faulty: {}", host, mark.reason), "mend that; " + heal);
}

Verdicts logins(const Patient&) {
  Verdicts found;
  for (const auto& mark : balance::marks()) {
    const bool again = mark.state == balance::State::refused && mark.failures > 1;
    if (again || (mark.state == balance::State::faulty && !mark.over())) found.push_back(judge_mark(mark));
  }
  if (found.empty()) found.push_back(ok("no server has just failed, or refused an account again and again"));
  return found;
}

Verdicts old_algorithms(const Patient& patient) {
  Verdicts found;
  if (!patient.rproxy) return found;
  for (const auto& rule : patient.rproxy->rules) {
    if (!rule.old_algorithms) continue;
    found.push_back(warn(fmt::format("rule {} (line {}) lets its servers use SHA-1 and CBC, which can be broken with "
                                     "effort",
                                     rule.number, rule.line),
                         "update the servers, and take <old_algorithms> out of the rule"));
  }
  return found;
}

}  // namespace

const std::vector<Condition>& server_conditions() {
  static const std::vector<Condition> all{
      {"keyfile", keyfiles}, {"host_keys", host_keys_enrolled}, {"logins", logins}, {"old_algorithms", old_algorithms}};
  return all;
}

}  // namespace doctor
