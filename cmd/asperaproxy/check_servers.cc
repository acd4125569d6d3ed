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
#include "login_trial.h"
#include "session/rules.h"
#include "ssh/upstream_command.h"
#include "ssh/upstream_host_key.h"
#include "ssh/upstream_key.h"
#include "tried_as.h"

namespace doctor {
namespace {

bool may_use(const config::Rule& rule, const std::string& user) {
  return session::rules::is_for(rule, user, {accounts::groups_of, {}});
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
  if (!patient.rproxy)
    return {warn("not looked at, since aspera.conf is wrong", "asuserdata -v  # says what is wrong with it")};
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
      found.push_back(fail(fmt::format("everybody on this host can read or write {}", path),
                           command_at(path, {"chmod", "o=", path})));
    } else if (complaint.starts_with("shared: ")) {
      const std::string path = complaint.substr(8);
      found.push_back(
          warn(fmt::format("{} can read the key of a squash_user, {}, but need not", names, path),
               line_of({{"chown", "root:root", path}, {"chmod", "600", path}}, "make a new key if in doubt")));
    } else {
      found.push_back(fail(fmt::format("{}: {}", names, complaint),
                           "# give a private key without passphrase, of root's, or which that "
                           "user can read; or <users> that exclude that user from the rule"));
    }
  }
  if (found.empty() && !tried.empty()) found.push_back(ok("the keys are readable by asp-upstream for their users"));
  return found;
}

Verdicts host_keys_enrolled(const Patient& patient) {
  if (!patient.rproxy)
    return {warn("not looked at, since aspera.conf is wrong", "asuserdata -v  # says what is wrong with it")};
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
  if (const auto wrong = root_only::complaint(path)) found.push_back(fail(*wrong, cure_of_root_only(path)));
  if (const auto users = tried_as::without_access(patient.users, path); !users.empty())
    found.push_back(fail(fmt::format("{} cannot read {}", listed(users), path), Steps{{"chmod", "644", path}}));
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
                heal + "  # once sshd_config there has PerSourcePenaltyExemptList with the address of this proxy");
  const std::string why = fmt::format("since {}: {}", mark.since, mark.reason);
  if (mark.state == balance::State::maintenance)
    return warn(fmt::format("{} is out of service, by {}, {}", host, mark.by, why), heal);
  if (!mark.user.empty())
    return warn(fmt::format("{} does not let {} in, {}", host, mark.user, why), heal + "  # once that is mended");
  return warn(fmt::format("{} is faulty {}", host, why), heal + "  # once that is mended");
}

Verdicts logins(const Patient&) {
  Verdicts found;
  for (const auto& mark : balance::marks()) {
    const bool again = mark.state == balance::State::refused && mark.failures > 1;
    const bool faulty = mark.state == balance::State::faulty && !mark.over();
    if (again || faulty || mark.state == balance::State::maintenance) found.push_back(judge_mark(mark));
  }
  if (found.empty()) found.push_back(ok("none is out of service, has just failed, or refused an account twice"));
  return found;
}

// --- log-ins as sessions make them ---

using login_trial::Login;
using login_trial::Outcome;

// A server that is out of service, or that would soon refuse the proxy for this account: `logins` tells of it.
bool is_left_alone(const std::vector<balance::Mark>& marks, const session::Route& route, const HostPort& host) {
  return std::any_of(marks.begin(), marks.end(), [&](const balance::Mark& mark) {
    if (mark.host != host) return false;
    const bool waits = mark.state == balance::State::refused && !mark.over() && mark.user == route.upstream_user &&
                       mark.keyfile == route.keyfile;
    return waits || mark.state == balance::State::maintenance;
  });
}

// Each account of each rule at each of its servers, once. Users of a squash rule have one account.
std::vector<Login> logins_of(const Patient& patient) {
  std::vector<Login> all;
  std::set<std::string> known;
  const auto marks = balance::marks();
  for (const auto& rule : patient.rproxy->rules) {
    for (const auto& user : patient.users) {
      const passwd* const entry = ::getpwnam(user.c_str());
      if (!entry || !may_use(rule, user)) continue;
      const auto route = session::rules::route_for(*patient.rproxy, rule, user);
      for (const auto& host : route.hosts) {
        const auto once = fmt::format("{}\n{}\n{}\n{}", rule.number, host.text(), route.upstream_user, route.keyfile);
        if (known.insert(once).second && !is_left_alone(marks, route, host))
          all.push_back({route, host, user, entry->pw_uid});
      }
    }
  }
  return all;
}

std::string cure_of(const Login& login, balance::blame::Party party) {
  using balance::blame::Party;
  const std::string host = login.host.text();
  switch (party) {
    case Party::host_key: return "asperaproxy trust " + host;
    case Party::account:
    case Party::key:
      return fmt::format("{}  # prints the line for authorized_keys of {} on {}",
                         upstream::shell_command({"ssh-keygen", "-y", "-f", login.route.keyfile}),
                         login.route.upstream_user, host);
    default:
      return fmt::format("ssh-keyscan -p {} {}  # shows whether an sshd answers there", login.host.port,
                         login.host.host);
  }
}

// The servers of a rule stand for each other, but nobody stands for an account.
bool another_serves(const Login& failed, const std::vector<Login>& all, const std::vector<Outcome>& outcomes) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool same =
        all[i].route.rule == failed.route.rule && all[i].route.upstream_user == failed.route.upstream_user;
    if (same && outcomes[i].what == Outcome::What::logged_in) return true;
  }
  return false;
}

Verdicts servers(const Patient& patient) {
  if (!patient.rproxy)
    return {warn("not looked at, since aspera.conf is wrong", "asuserdata -v  # says what is wrong with it")};
  if (!patient.rproxy->enabled) return {};
  constexpr std::size_t kMost = 500;
  auto all = logins_of(patient);
  if (all.size() > kMost) all.resize(kMost);
  const auto outcomes = login_trial::try_all(all);
  struct Told {
    std::vector<std::string> accounts;
    Verdict verdict;
  };
  std::map<std::string, Told> told;  // what several accounts have in common is one line
  std::set<std::string> hosts;
  std::size_t untried = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    hosts.insert(all[i].host.text());
    if (outcomes[i].what == Outcome::What::not_tried) ++untried;
    if (outcomes[i].what != Outcome::What::failed) continue;
    const std::string host = all[i].host.text();
    const bool names_host = outcomes[i].reason.find(host) != std::string::npos;
    auto& one = told[names_host ? outcomes[i].reason : fmt::format("{}: {}", host, outcomes[i].reason)];
    one.accounts.push_back(all[i].route.upstream_user);
    const bool worse = !another_serves(all[i], all, outcomes);
    if (worse || one.verdict.grade == Grade::ok)
      one.verdict = {worse ? Grade::fail : Grade::warn, "", cure_of(all[i], outcomes[i].party), {}};
  }
  Verdicts found;
  for (auto& [text, one] : told) {
    std::sort(one.accounts.begin(), one.accounts.end());
    one.accounts.erase(std::unique(one.accounts.begin(), one.accounts.end()), one.accounts.end());
    const bool named = one.accounts.size() == 1 && text.find(" as " + one.accounts[0]) != text.npos;
    one.verdict.what = named ? text : fmt::format("{}, for {}", text, listed(one.accounts));
    found.push_back(one.verdict);
  }
  if (!found.empty() || all.empty()) return found;
  const std::string rest = untried == 0 ? "" : fmt::format("; {} log-ins were not tried, for want of a key", untried);
  return {ok(fmt::format("{} let in whom rules send there{}", listed({hosts.begin(), hosts.end()}), rest))};
}

Verdicts old_algorithms(const Patient& patient) {
  Verdicts found;
  if (!patient.rproxy) return found;
  for (const auto& rule : patient.rproxy->rules) {
    if (!rule.old_algorithms) continue;
    found.push_back(warn(fmt::format("rule {} (line {}) lets its servers use SHA-1 and CBC, which can be broken with "
                                     "effort",
                                     rule.number, rule.line),
                         "# update the servers, and take <old_algorithms> out of the rule"));
  }
  return found;
}

}  // namespace

const std::vector<Condition>& server_conditions() {
  static const std::vector<Condition> all{{"keyfile", keyfiles},
                                          {"host_keys", host_keys_enrolled},
                                          {"logins", logins},
                                          {"servers", servers},
                                          {"old_algorithms", old_algorithms}};
  return all;
}

}  // namespace doctor
