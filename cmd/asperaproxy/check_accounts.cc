// Checks of accounts, and of their rights by sudo.
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <set>

#include <fmt/core.h>

#include "base/accounts.h"
#include "base/paths.h"
#include "base/root_only.h"
#include "doctor.h"
#include "sudo_settings.h"
#include "sudo_trial.h"
#include "tried_as.h"
#include "who/authorized_keys.h"

namespace doctor {
namespace {

constexpr char kSudoers[] = "/etc/sudoers.d/sallyport";

bool is_administrator(const std::string& user) {
  const passwd* const entry = ::getpwnam(user.c_str());
  if (entry && entry->pw_uid == 0) return true;
  for (const auto& group : accounts::groups_of(user)) {
    if (accounts::is_of_administrators(group)) return true;
  }
  return false;
}

Verdicts group(const Patient& patient) {
  if (!patient.has_group) return {fail("there is no group sallyport", "groupadd --system sallyport")};
  if (patient.users.empty())
    return {
        warn("the group sallyport has no members, so nobody can transfer", "usermod --append --groups sallyport USER")};
  Verdicts found;
  std::vector<std::string> administrators;
  std::vector<std::string> shells;
  std::vector<std::string> unusable;
  for (const auto& user : patient.users) {
    if (!accounts::is_name(user)) unusable.push_back(user);
    const passwd* const entry = ::getpwnam(user.c_str());
    if (!entry) {
      found.push_back(warn(fmt::format("{} is in the group, but has no account", user),
                           Steps{{"gpasswd", "-d", user, "sallyport"}}));
      continue;
    }
    const std::string shell = entry->pw_shell;
    if (is_administrator(user)) administrators.push_back(user);
    else if (shell != paths::kShell && shell != "/usr/bin/aspshell" && shell != std::string(paths::kBin) + "aspshell")
      shells.push_back(user);
  }
  if (!administrators.empty()) {
    found.push_back(
        fail(fmt::format("an administrator is in the group, and so gets no shell over SSH: {}", listed(administrators)),
             for_each(administrators, {"gpasswd", "-d", "USER", "sallyport"})));
  }
  if (!unusable.empty()) {
    found.push_back(
        fail(fmt::format("names that cannot be used (over 200 bytes, / : , in them, not UTF-8): {}", listed(unusable)),
             "# have SSSD or winbind write them otherwise: INSTALL, Accounts and log-ins"));
  }
  if (!shells.empty()) {
    found.push_back(warn(fmt::format("the shell of {} is not {}: only ForceCommand keeps them from a shell",
                                     listed(shells), paths::kShell),
                         for_each(shells, {"chsh", "-s", paths::kShell, "USER"})));
  }
  if (found.empty()) found.push_back(ok(fmt::format("sallyport has {}", listed(patient.users))));
  return found;
}

Verdicts dial_account(const Patient& patient) {
  const std::string name = paths::kDialAccount;
  if (!accounts::exists(name)) {
    return {
        fail(fmt::format("there is no account {}, which speaks SSH to the servers inside", name),
             fmt::format("useradd --system --user-group --home-dir /nonexistent --shell /usr/sbin/nologin {}", name))};
  }
  if (accounts::groups_of(name).size() > 1)
    return {fail(fmt::format("{} is in other groups than its own", name), fmt::format("usermod -G '' {}", name))};
  const std::string known_hosts = patient.rproxy ? patient.rproxy->known_hosts : paths::kKnownHosts;
  const std::string complaint =
      tried_as::ask(name, [&] { return ::access(known_hosts.c_str(), R_OK) == 0 ? "" : "cannot read " + known_hosts; });
  if (!complaint.empty()) return {fail(fmt::format("{} {}", name, complaint), Steps{{"chmod", "644", known_hosts}})};
  return {ok(fmt::format("{} exists, and can read known_hosts", name))};
}

Verdicts sudoers(const Patient&) {
  if (::access("/usr/bin/sudo", X_OK) != 0) return {fail("sudo is not installed", "apt-get install sudo")};
  if (const auto wrong = root_only::complaint(kSudoers))
    return {fail(*wrong + ", so sudo ignores it", cure_of_root_only(kSudoers))};
  const auto checked = ask({"/usr/sbin/visudo", "-cf", kSudoers});
  if (!checked.well())
    return {fail(fmt::format("{}: {}", kSudoers, checked.first_complaint()),
                 "apt-get install --reinstall sallyport  # or make install")};
  if (const auto wrong = root_only::complaint(sudo_settings::kFile))
    return {fail(*wrong + ", so this site's settings for sudo reach sessions", Steps{{"asperaproxy", "sudoers"}})};
  if (read_file(sudo_settings::kFile) != sudo_settings::text())
    return {fail(fmt::format("{} does not match the installed sudo", sudo_settings::kFile),
                 Steps{{"asperaproxy", "sudoers"}})};
  const auto all = ask({"/usr/sbin/visudo", "-c"});
  if (!all.well()) return {warn(all.first_complaint(), "visudo -c; visudo")};  // whether it matters: sudo() tells
  return {ok(fmt::format("{} is valid, and {} matches the installed sudo", kSudoers, sudo_settings::kFile))};
}

Verdicts sudo(const Patient& patient) {
  std::vector<std::string> users;
  for (const auto& user : patient.users) {
    if (users.size() < tried_as::kMostUsers && ::getpwnam(user.c_str())) users.push_back(user);
  }
  auto found = sudo_trial::of_members(users);
  if (found.empty() && !users.empty())
    found.push_back(ok(fmt::format("asp-pinhole and asp-upstream answer {}", listed(users))));
  return found;
}

// What of a member's keys is where.
struct KeysOf {
  std::string user;
  bool rooted = false;      // sshd reads root's file
  bool homely = false;      // sshd reads files that the user can write
  bool has_rooted = false;  // that file has something in it
  bool has_homely = false;
};

bool has_text(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0;
}

KeysOf keys_of(const std::string& user, const std::string& home, const std::string& settings) {
  KeysOf keys;
  keys.user = user;
  const std::string own = authorized_keys::path_of(user);
  for (const auto& file : authorized_keys::read_by_sshd(settings, user, home)) {
    keys.rooted = keys.rooted || file == own;
    keys.homely = keys.homely || file.starts_with(home + "/");
  }
  keys.has_rooted = has_text(own);
  for (const char* name : {"authorized_keys", "authorized_keys2"})
    keys.has_homely = keys.has_homely || has_text(fmt::format("{}/.ssh/{}", home, name));
  return keys;
}

template <typename Chosen>
std::vector<std::string> those(const std::vector<KeysOf>& all, Chosen chosen) {
  std::vector<std::string> names;
  for (const auto& one : all) {
    if (chosen(one)) names.push_back(one.user);
  }
  return names;
}

// Whoever makes an account of that name again opens it to these keys. Temporary files of ours begin with a dot.
void find_forgotten(Verdicts& found) {
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(authorized_keys::kFolder, error)) {
    const std::string name = file.path().filename();
    if (name.starts_with('.') || accounts::exists(name)) continue;
    found.push_back(warn(fmt::format("{} has keys of an account that is gone", file.path().string()),
                         line_of({{"rm", "--", file.path()}})));
  }
}

// The keys that open the accounts: in a file that sshd reads. Who can change it, security.h tells.
Verdicts keys(const Patient& patient) {
  if (!patient.sshd_error.empty()) return {};  // as sshd says
  const std::string folder = authorized_keys::kFolder;
  Verdicts found;
  std::vector<KeysOf> all;
  for (const auto& user : patient.users) {
    const passwd* const entry = ::getpwnam(user.c_str());
    if (!entry) continue;
    all.push_back(keys_of(user, entry->pw_dir, settings_of(user)));
  }
  const auto only_home = those(all, [](const KeysOf& one) { return one.has_homely && !one.has_rooted && !one.homely; });
  const auto unread = those(all, [](const KeysOf& one) { return one.has_rooted && !one.rooted; });
  if (!only_home.empty())
    found.push_back(warn(fmt::format("keys of {} are only in ~/.ssh, where sshd does not read them", listed(only_home)),
                         for_each(only_home, {"asp-adduser", "-s", "-m", "USER"})));
  if (!unread.empty())
    found.push_back(
        warn(fmt::format("sshd does not read the keys of {} in {}", listed(unread), folder), kSampleInForce));
  find_forgotten(found);
  if (found.empty() && !all.empty()) found.push_back(ok(fmt::format("sshd reads them in {}", folder)));
  return found;
}

}  // namespace

const std::vector<Condition>& account_conditions() {
  static const std::vector<Condition> all{{"group", group},
                                          {"authorized_keys", keys},
                                          {"dial_account", dial_account},
                                          {"sudoers", sudoers},
                                          {"sudo", sudo}};
  return all;
}

}  // namespace doctor
