// security: ways around the restricted shell, and other holes of the proxy host: what asp-check.sh(8) reports in the
// guide's form, and `asperaproxy check` among its conditions.
//
// Names and paths of users are hostile. They are escaped where they are shown (security_report.h), and quoted in cures.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "doctor.h"
#include "sshd_contexts.h"

namespace security {

// One thing that is looked for: its name in JSON, and its words in the guide's text.
struct Check {
  const char* name;
  const char* words;
};
// The three of the guide come first.
const std::vector<Check>& checks();

struct Finding {
  std::string check;
  bool of_user = false;
  std::string subject;  // a user, or a file
  std::string what;
  std::string cure;
};

struct Account {
  std::string name;
  uid_t uid = 0;
  std::string home;
  std::string shell;
  bool is_member = false;  // of the group sallyport, or it has aspshell
};

struct Report {
  std::vector<Finding> findings;
  std::vector<std::pair<std::string, std::string>> accounts;  // name, and "restricted", "insecure", "full access", …
  std::size_t full_access = 0;
  std::size_t restricted = 0;
  std::size_t insecure = 0;
  std::size_t docroots_elsewhere = 0;  // nothing on this host enforces them
};
// Looks once; later calls have the same.
const Report& report(const doctor::Patient& patient);

// --- the parts ---

using Findings = std::vector<Finding>;

// What sshd applies to an account; each fault has a text of its own. `disables_all`: DisableForwarding covers agent
// and X11. Pure, but for where links lead.
Findings judge_settings(const Account& account, const sshd_contexts::Settings& settings, bool disables_all);
// True if the path leads to the suite's aspshell.
bool is_aspshell(const std::string& path);
// Whether a login shell lets anybody in; none at all is sh.
bool may_log_in(const std::string& shell);

// Whether the path, which has neither . nor .. in it, is the directory or below it.
bool is_within(const std::string& path, const std::string& directory);

// Each of these, and all directories above, wherever links lead, must be root's alone to write.
void check_root_paths(const std::vector<std::string>& paths, Findings& found);
// The home of an account, its keys, and the files that sshd reads for it.
void check_user_files(const Account& account, const sshd_contexts::Settings& settings,
                      const std::vector<std::string>& keyfiles, Findings& found);
// Keys of the host's, of rules, and of the suite. `group` of ssh_keys may read the host's.
void check_system_keys(const sshd_contexts::Settings& settings, const std::vector<std::string>& keyfiles,
                       Findings& found);

// Known holes of this sshd, as far as its version and its package tell.
void check_sshd_version(Findings& found);
// Whether DisableForwarding covers agent and X11 here (CVE-2025-32728).
bool forwarding_is_disabled_wholly();

}  // namespace security
