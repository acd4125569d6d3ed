#include "security.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include <fmt/core.h>

#include "base/accounts.h"
#include "base/failure.h"
#include "base/paths.h"
#include "config/config.h"
#include "judge.h"
#include "ssh/upstream_command.h"
#include "sudo_trial.h"
#include "who/file_access.h"

namespace security {
namespace {

namespace fs = std::filesystem;
using doctor::Patient;

constexpr char kGroup[] = "sallyport";
constexpr char kSshdConfig[] = "/etc/ssh/sshd_config";

std::vector<Account> all_accounts() {
  std::vector<Account> all;
  std::set<std::string> known;
  ::setpwent();
  while (const passwd* entry = ::getpwent()) {
    if (*entry->pw_name == '\0' || !known.insert(entry->pw_name).second) continue;
    all.push_back({entry->pw_name, entry->pw_uid, entry->pw_dir, entry->pw_shell, false});
  }
  ::endpwent();
  return all;
}

class Examination {
 public:
  explicit Examination(const Patient& patient) : general_(sshd_contexts::parse(patient.sshd_settings)) {}

  Report run() && {
    const auto& contexts = sshd_contexts::contexts();
    if (contexts.all > contexts.kinds.size())
      of_file("not_judged", kSshdConfig,
              fmt::format("its Match lines tell {} kinds of connection apart; {} were looked at", contexts.all,
                          contexts.kinds.size()),
              "grep -rn ^Match /etc/ssh  # have fewer Match Address, Host, LocalAddress and LocalPort");
    read_config();
    check_system_keys(general_, keyfiles_, report_.findings);
    for (auto account : all_accounts()) judge(std::move(account));
    check_root_paths(roots_files(contexts.files), report_.findings);
    check_sshd_version(report_.findings);
    return std::move(report_);
  }

 private:
  void of_file(const char* check, const std::string& file, std::string what, std::string cure) {
    report_.findings.push_back({check, false, file, std::move(what), std::move(cure)});
  }
  void of_user(const char* check, const Account& account, std::string what, std::string cure) {
    report_.findings.push_back({check, true, account.name, std::move(what), std::move(cure)});
  }

  // Whoever may write to it.
  void read_config() {
    try {
      const auto config = config::load(paths::kConfig);
      for (const auto& rule : config.rproxy.rules) {
        if (!rule.keyfile.empty()) keyfiles_.push_back(rule.keyfile);
      }
      known_hosts_ = config.rproxy.known_hosts;
      document_ = config::load_document(paths::kConfig);
    } catch (const tool::Failure& failure) {
      of_file("not_judged", paths::kConfig, failure.what(), "asuserdata -v");
    }
  }

  void judge(Account account) {
    const std::size_t before = report_.findings.size();
    const auto groups = accounts::groups_of(account.name);
    const bool in_group = std::find(groups.begin(), groups.end(), kGroup) != groups.end();
    account.is_member = in_group || account.shell.ends_with("/aspshell") || is_aspshell(account.shell);
    const bool logs_in = may_log_in(account.shell);
    file_access::Access access;
    if (document_ && (account.is_member || (account.uid != 0 && logs_in)))
      access = file_access::of_user(*document_, account.name);
    const std::string enforced_by = file_access::enforced_by(access);
    if (enforced_by == "server") ++report_.docroots_elsewhere;
    const char* kind = "no login";
    if (account.is_member || !access.areas.empty()) {
      ++report_.restricted;
      judge_restricted(account, access, enforced_by, groups);
      const bool insecure = report_.findings.size() > before;
      report_.insecure += insecure ? 1 : 0;
      kind = insecure ? "insecure" : "restricted";
    } else if (logs_in) {
      ++report_.full_access;
      kind = "full access";
    }
    report_.accounts.emplace_back(account.name, kind);
  }

  void judge_restricted(const Account& account, const file_access::Access& access, const std::string& enforced_by,
                        const std::vector<std::string>& groups) {
    if (account.name.find(',') != std::string::npos) {
      of_user("not_judged", account, "sshd cannot be asked about a name with a comma",
              upstream::shell_command({"usermod", "-l", "NAME", account.name}));
      return;
    }
    // A cure must not lock out whoever administers the host.
    const auto of_administrators = std::find_if(groups.begin(), groups.end(), accounts::is_of_administrators);
    if (!account.is_member && of_administrators != groups.end())
      return of_user("sudo", account,
                     fmt::format("has a docroot, and is a member of the group {}, whose members can become root",
                                 *of_administrators),
                     "in aspera.conf, give docroots to a <group> or a <user>, and not to all by <default>");
    sshd_contexts::Settings settings;
    if (!ask_sshd(account, settings)) return;
    judge_docroot(account, access, enforced_by);
    judge_grants(account);
    for (const auto& group : groups) {
      if (accounts::is_of_administrators(group))
        of_user("sudo", account, fmt::format("member of the group {}, whose members can become root", group),
                upstream::shell_command({"gpasswd", "-d", account.name, group}));
    }
    check_user_files(account, settings, keyfiles_, report_.findings);
  }

  // In each kind of connection; a fault that several have is one. `settings` are those of the last.
  bool ask_sshd(const Account& account, sshd_contexts::Settings& settings) {
    static const bool disables_all = forwarding_is_disabled_wholly();
    const auto& kinds = sshd_contexts::contexts().kinds;
    std::set<std::string> found;
    for (const auto& kind : kinds) {
      const auto& applied = doctor::applied_to(account.name, kind);
      if (!applied.error.empty()) {
        of_user("not_judged", account,
                fmt::format("sshd -T -C user={},{} fails: {}", account.name, kind, applied.error), "sshd -t");
        return false;
      }
      settings = sshd_contexts::parse(applied.text);
      for (auto& finding : judge_settings(account, settings, disables_all)) {
        if (!found.insert(finding.check).second) continue;
        if (kinds.size() > 1) finding.what += fmt::format(" ({})", kind);
        report_.findings.push_back(std::move(finding));
      }
    }
    return true;
  }

  void judge_docroot(const Account& account, const file_access::Access& access, const std::string& enforced_by) {
    if (enforced_by == "programs")
      of_user("docroot_unconfined", account, "the kernel lacks Landlock, so programs of other makers reach all files",
              "cat /sys/kernel/security/lsm  # a kernel with landlock there; or <confinement>required</confinement>");
    std::error_code error;
    const std::string home = fs::weakly_canonical(account.home.empty() ? "/" : account.home, error);
    for (const auto& area : access.areas) {
      if (enforced_by == "kernel" && !area.read && !area.write) continue;
      const std::string docroot = file_access::canonical(area.path);
      if (!is_within(home, docroot) && !is_within(docroot, home + "/.ssh")) continue;
      of_user(
          "docroot_above_home", account,
          fmt::format("the docroot {} reaches the home directory {}, and so .ssh", docroot, home),
          upstream::shell_command({"asconfigurator", "-x",
                                   fmt::format("set_user_data;user_name,{};absolute,{}/data", account.name, home)}));
      return;
    }
  }

  // Each grant but the one of the suite.
  void judge_grants(const Account& account) {
    const std::vector<std::string> helpers{std::string(paths::kLibexec) + "asp-pinhole",
                                           std::string(paths::kLibexec) + "asp-upstream"};
    if (::access(paths::kSudo, X_OK) != 0) return;
    const auto answer = sudo_trial::grants_of(account.name, helpers);
    const std::string said = answer.out + answer.err;
    if (said.find("is not allowed to run sudo") != said.npos ||
        said.find("is not allowed to execute 'list' as") != said.npos)
      return;
    if (answer.out.find("may run the following commands") == answer.out.npos) {
      of_user("not_judged", account, fmt::format("sudo does not say what it grants: {}", answer.first_complaint()),
              "visudo -c");
      return;
    }
    for (const auto& grant : doctor::other_grants(answer.out, helpers)) {
      const char* const why = grant.find("iptables-restore") == grant.npos
                                  ? "take that grant out; both helpers are to be granted without arguments"
                                  : "take that grant out: it gives away the whole firewall, and asp-pinhole has taken "
                                    "its place";
      of_user("sudo", account, fmt::format("sudo grants {}", grant),
              fmt::format("grep -rn {} /etc/sudoers /etc/sudoers.d  # {}",
                          upstream::shell_command({"--", grant.substr(grant.rfind(' ') + 1)}), why));
    }
  }

  std::vector<std::string> roots_files(std::vector<std::string> paths) const {
    const std::string prefix = paths::kPrefix;
    paths.insert(paths.end(), {prefix, known_hosts_, paths::kShell, "/etc/ssh", "/etc/sudoers", "/etc/cron.d",
                               "/etc/cron.d/sallyport"});
    for (const std::string& folder : {prefix + "/bin", prefix + "/libexec", prefix + "/etc",
                                      prefix + "/etc/sshd_config.d", std::string("/etc/sudoers.d")}) {
      paths.push_back(folder);
      std::error_code error;
      for (const auto& entry : fs::directory_iterator(folder, error)) {
        if (!entry.path().filename().string().starts_with('.')) paths.push_back(entry.path());
      }
    }
    return paths;
  }

  const sshd_contexts::Settings general_;
  std::optional<config::xml::Element> document_;
  std::vector<std::string> keyfiles_;
  std::string known_hosts_ = paths::kKnownHosts;
  Report report_;
};

}  // namespace

const std::vector<Check>& checks() {
  static const std::vector<Check> all{
      {"no_restricted_shell", "no restricted shell (aspshell)"},
      {"docroot_above_home", "docroot above home directory"},
      {"ssh_tunneling", "ssh tunneling enabled"},
      {"docroot_unconfined", "docroot without confinement by the kernel"},
      {"sftp", "internal-sftp within reach"},
      {"agent_forwarding", "agent forwarding enabled"},
      {"x11_forwarding", "X11 forwarding enabled"},
      {"streamlocal_forwarding", "stream-local forwarding enabled"},
      {"environment", "environment set by the user"},
      {"sudo", "sudo rights beyond asp-pinhole and asp-upstream"},
      {"private_keys", "private keys readable by others"},
      {"writable", "configuration or programs writable by others"},
      {"keys_at_home", "authorized keys in home directories"},
      {"sshd_version", "sshd with known holes"},
      {"not_judged", "could not be judged"},
  };
  return all;
}

const Report& report(const Patient& patient) {
  static const Report known = Examination(patient).run();
  return known;
}

}  // namespace security
