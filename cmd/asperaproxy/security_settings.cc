// What sshd applies to an account, judged.
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include <fmt/core.h>

#include "base/cut.h"
#include "base/paths.h"
#include "security.h"
#include "ssh/upstream_command.h"

namespace security {
namespace {

using sshd_contexts::first;
using sshd_contexts::Settings;

class Judge {
 public:
  Judge(const Account& account, const Settings& settings) : account_(account), settings_(settings) {}

  void shell() {
    const auto& shell = account_.shell;
    const std::string forced = first(settings_, "forcecommand", "none");
    if (!may_log_in(shell) || is_aspshell(shell) || is_aspshell(forced)) return;
    const std::string shown = shell.empty() ? "/bin/sh" : shell;
    std::error_code error;
    const std::string real = std::filesystem::weakly_canonical(shown, error);
    add("no_restricted_shell",
        fmt::format("its shell is {}{}, and ForceCommand is {}", shown,
                    real == shown ? "" : fmt::format(" (really {})", real), forced),
        fmt::format("{}; {}", upstream::shell_command({"chsh", "-s", paths::kShell, account_.name}),
                    upstream::shell_command({"usermod", "-aG", "sallyport", account_.name})));
  }

  // DisableForwarding leaves PermitTunnel alone in each version.
  void forwarding(bool disables_all) {
    const bool disabled = is("disableforwarding", "yes");
    const std::string tcp = first(settings_, "allowtcpforwarding");
    if (!is("permittunnel", "no")) add_setting("ssh_tunneling", "PermitTunnel", "permittunnel");
    if (!disabled && tcp != "no" && !ports_are_closed(tcp))
      add_setting("ssh_tunneling", "AllowTcpForwarding", "allowtcpforwarding");
    if (!disabled && !is("allowstreamlocalforwarding", "no"))
      add_setting("streamlocal_forwarding", "AllowStreamLocalForwarding", "allowstreamlocalforwarding");
    if (disabled && disables_all) return;
    const char* const besides =
        disabled ? ", and DisableForwarding does not cover it before OpenSSH 10.0 (CVE-2025-32728)" : "";
    if (!is("allowagentforwarding", "no"))
      add_setting("agent_forwarding", "AllowAgentForwarding", "allowagentforwarding", besides);
    if (!is("x11forwarding", "no")) add_setting("x11_forwarding", "X11Forwarding", "x11forwarding", besides);
  }

  // sshd itself serves internal-sftp, whatever the shell. A forced command comes before it, if it is not the same.
  void sftp() {
    const std::string forced = first(settings_, "forcecommand", "none");
    if (forced == "internal-sftp" || forced.starts_with("internal-sftp ")) {
      add("sftp", "ForceCommand is internal-sftp", doctor::kSampleInForce);
    } else if (forced == "none" && settings_.contains("subsystem")) {
      for (const auto& subsystem : settings_.at("subsystem")) {
        const auto words = cut::words(subsystem);
        if (words.size() > 1 && words[1] == "internal-sftp")
          add("sftp", fmt::format("Subsystem {}, and no ForceCommand", subsystem), doctor::kSampleInForce);
      }
    }
  }

  void environment() {
    if (!is("permituserenvironment", "no")) {
      add_setting("environment", "PermitUserEnvironment", "permituserenvironment");
      return;
    }
    if (!settings_.contains("acceptenv")) return;
    for (const auto& patterns : settings_.at("acceptenv")) {
      for (const auto pattern : cut::words(patterns)) {
        const auto variable = dangerous(pattern);
        if (variable.empty()) continue;
        add("environment", fmt::format("AcceptEnv {} lets the client set {}", pattern, variable),
            doctor::kSampleInForce);
        return;
      }
    }
  }

  void strict_modes() {
    if (!is("strictmodes", "yes"))
      add("writable",
          fmt::format("StrictModes is {}: sshd takes keys from files that others can write",
                      first(settings_, "strictmodes")),
          doctor::kSampleInForce);
  }

  Findings findings() && { return std::move(found_); }

 private:
  // What sshd does not print is off, but for StrictModes, which each version prints.
  bool is(const char* keyword, const char* value) const { return first(settings_, keyword, value) == value; }

  void add(const char* check, std::string what, std::string cure) {
    found_.push_back({check, true, account_.name, std::move(what), std::move(cure)});
  }
  void add_setting(const char* check, const char* option, const char* keyword, const char* besides = "") {
    add(check, fmt::format("{} is {}{}", option, first(settings_, keyword), besides), doctor::kSampleInForce);
  }

  // Are there no ports that what is allowed could lead to?
  bool ports_are_closed(const std::string& allowed) const {
    if (allowed != "remote" && first(settings_, "permitopen", "any") != "none") return false;
    return allowed == "local" || first(settings_, "permitlisten", "any") == "none";
  }

  static bool matches(std::string_view pattern, std::string_view text) {
    if (pattern.empty()) return text.empty();
    if (pattern[0] == '*')
      return matches(pattern.substr(1), text) || (!text.empty() && matches(pattern, text.substr(1)));
    return !text.empty() && (pattern[0] == '?' || pattern[0] == text[0]) && matches(pattern.substr(1), text.substr(1));
  }

  static std::string_view dangerous(std::string_view pattern) {
    for (const std::string_view variable :
         {"LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "GCONV_PATH", "PATH", "ENV", "BASH_ENV", "SHELLOPTS", "IFS"}) {
      if (matches(pattern, variable)) return variable;
    }
    return {};
  }

  const Account& account_;
  const Settings& settings_;
  Findings found_;
};

}  // namespace

bool is_aspshell(const std::string& path) {
  std::error_code error;
  return path.starts_with('/') && std::filesystem::equivalent(path, std::string(paths::kBin) + "aspshell", error);
}

bool may_log_in(const std::string& shell) {
  const std::string name = shell.substr(shell.rfind('/') + 1);
  for (const char* none : {"nologin", "false", "true", "sync", "halt", "shutdown"}) {
    if (name == none) return false;
  }
  return shell.empty() || ::access(shell.c_str(), X_OK) == 0;
}

Findings judge_settings(const Account& account, const Settings& settings, bool disables_all) {
  Judge judge(account, settings);
  judge.shell();
  judge.forwarding(disables_all);
  judge.sftp();
  judge.environment();
  judge.strict_modes();
  return std::move(judge).findings();
}

}  // namespace security
