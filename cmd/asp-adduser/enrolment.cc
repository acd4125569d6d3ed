#include "enrolment.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include <fmt/core.h>

#include "base/child.h"
#include "base/cut.h"
#include "base/env.h"
#include "base/failure.h"
#include "base/logging.h"
#include "base/paths.h"
#include "base/signals.h"
#include "who/authorized_keys.h"
#include "who/given_uids.h"
#include "who/proxy_account.h"

namespace enrolment {
namespace {

using proxy_account::Account;
using proxy_account::administer;

// No password matches it, so only keys log in. Unlike "!" it does not lock the account, which sshd
// would refuse.
constexpr char kNoPassword[] = "*";

// Removes what this call made, unless it is kept.
class Undo {
 public:
  ~Undo() {
    for (auto argv = commands_.rbegin(); argv != commands_.rend(); ++argv) {
      try {
        administer(*argv);
      } catch (const tool::Failure& failure) {
        logging::error("{}", logging::escape(failure.what()));
      }
    }
  }
  Undo() = default;
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;
  void with(std::vector<std::string> argv) { commands_.push_back(std::move(argv)); }
  void keep() { commands_.clear(); }

 private:
  std::vector<std::vector<std::string>> commands_;
};

// The directory where useradd makes home directories.
std::string home_of_new(const std::string& name) {
  const std::string defaults = administer({"/usr/sbin/useradd", "-D"});
  std::string_view base = "/home";
  for (const auto line : cut::lines(defaults)) {
    if (line.starts_with("HOME=/")) base = line.substr(5);
  }
  return fmt::format("{}/{}", base, name);
}

// A home directory that asp-deluser kept belongs to a number that no account has. The new account gets
// that number.
std::optional<uid_t> owner_of_kept(const std::string& name, const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return std::nullopt;
    tool::fail_errno(tool::os, "stat " + path);
  }
  if (!S_ISDIR(status.st_mode) || status.st_uid < proxy_account::lowest_uid() || ::getpwuid(status.st_uid)) {
    throw tool::Failure(tool::not_permitted,
                        fmt::format("{}: {} exists already, and belongs to somebody else", name, path));
  }
  return status.st_uid;
}

void make_group(std::vector<std::string>& steps, Undo& undo) {
  if (::getgrnam(paths::kGroup)) return;
  administer({"/usr/sbin/groupadd", "--system", paths::kGroup});
  undo.with({"/usr/sbin/groupdel", paths::kGroup});
  steps.push_back(fmt::format("made the group {}", paths::kGroup));
}

void make_account(const std::string& name, std::vector<std::string>& steps, Undo& undo) {
  const std::string path = home_of_new(name);
  const auto kept = owner_of_kept(name, path);
  std::vector<std::string> argv{"/usr/sbin/useradd", "--create-home", "--home-dir",  path,
                                "--user-group",      "--shell",       paths::kShell, "--groups",
                                paths::kGroup,       "--password",    kNoPassword};
  // Without numbers of its own in /etc/subuid: those would be the next account's, too.
  for (const char* none : {"SUB_UID_COUNT=0", "SUB_GID_COUNT=0"}) argv.insert(argv.end(), {"--key", none});
  if (kept) argv.insert(argv.end(), {"--uid", std::to_string(*kept)});
  else if (const auto highest = given_uids::highest())
    argv.insert(argv.end(), {"--key", fmt::format("UID_MIN={}", std::max(*highest + 1, proxy_account::lowest_uid()))});
  argv.insert(argv.end(), {"--", name});
  administer(argv);
  if (kept) undo.with({"/usr/sbin/userdel", "--", name});
  else undo.with({"/usr/sbin/userdel", "--remove", "--", name});
  steps.push_back(kept ? fmt::format("made the account {}, with the home directory that existed", name)
                       : "made the account " + name);
}

// The rights come first, so that a new key never allows more than transfers.
void update_account(const Account& account, std::vector<std::string>& steps) {
  proxy_account::check_may_transfer_only(account);
  if (account.expired)
    throw tool::Failure(
        tool::not_permitted,
        fmt::format("{0}: the account has expired; usermod --expiredate '' {0} revives it", account.name));
  std::vector<std::string> argv{"/usr/sbin/usermod"};
  if (!account.has_shell()) {
    argv.insert(argv.end(), {"--shell", paths::kShell});
    steps.push_back(fmt::format("changed the shell from {} to {}", account.shell, paths::kShell));
  }
  if (!account.in_group()) {
    argv.insert(argv.end(), {"--append", "--groups", paths::kGroup});
    steps.push_back(fmt::format("put the account into the group {}", paths::kGroup));
  }
  if (account.password != kNoPassword) {
    argv.insert(argv.end(), {"--password", kNoPassword});
    steps.push_back(account.password.starts_with('!') ? "unlocked the account, for keys only"
                                                      : "removed the password: only keys are accepted");
  }
  if (argv.size() == 1) return;
  argv.insert(argv.end(), {"--", account.name});
  administer(argv);
}

// As ssh-keygen shows it; empty when it does not take the line.
std::string fingerprint(const std::string& line) {
  constexpr int kSeconds = 10;
  const auto answer =
      child::run({{"/usr/bin/ssh-keygen", "-l", "-f", "-"}, env::allow({}), {}}, line + "\n", 64 * 1024, kSeconds);
  return answer.status == 0 ? answer.out.substr(0, answer.out.find('\n')) : "";
}

// The given keys, and those of the home directory, go to the file of root's.
void authorize(const Account& account, const home::Wanted& wanted, home::Made& made) {
  if (wanted.keys.empty() && !wanted.move) return;
  const std::string path = authorized_keys::path_of(account.name);
  std::string text = authorized_keys::read(account.name).value_or("");
  if (!text.empty() && text.back() != '\n') text += '\n';
  const std::string before = text;
  std::size_t added = 0;
  for (const auto& key : wanted.keys) {
    const auto lines = cut::lines(text);
    if (std::any_of(lines.begin(), lines.end(), [&](std::string_view line) { return public_key::holds(line, key); }))
      continue;
    text += key.line() + "\n";
    ++added;
  }
  if (added > 0) made.steps.push_back(fmt::format("added {} key{} to {}", added, added == 1 ? "" : "s", path));
  const std::string at_home = wanted.move ? home::keys_at_home(account) : "";
  for (const auto& line : public_key::lines_of(at_home)) {
    const auto lines = cut::lines(text);
    const auto has_key = [&](std::string_view one) { return public_key::holds(one, line.key); };
    const auto is_same = [&](std::string_view one) {
      return has_key(one) && one.starts_with((line.options.empty() ? line.key.type : line.options) + " ");
    };
    if (std::any_of(lines.begin(), lines.end(), is_same)) continue;
    const std::string print = fingerprint(line.text);
    if (print.empty()) continue;
    const std::string shown = line.options.empty() ? print : fmt::format("{}, with {}", print, line.options);
    // The administrator may have put a limit before it there, which the user has not at home.
    const bool known = std::any_of(lines.begin(), lines.end(), has_key);
    if (known || line.is_authority()) {
      made.warnings.push_back(fmt::format("left in ~/.ssh, since {}: {}",
                                          known ? path + " has that key with other options" : "it lets others in",
                                          shown));
      continue;
    }
    text += line.text + "\n";
    made.steps.push_back(fmt::format("took over from ~/.ssh, to {}: {}", path, shown));
  }
  if (text != before) authorized_keys::write(account.name, text);
}

// Absent: it does, or cannot be asked.
std::optional<std::string> sshd_reads_elsewhere(const Account& account) {
  constexpr int kSeconds = 10;
  const auto answer =
      child::run({{"/usr/sbin/sshd", "-T", "-C", fmt::format("user={},host=localhost,addr=127.0.0.1", account.name)},
                  env::allow({}),
                  {}},
                 "", 1024 * 1024, kSeconds);
  if (answer.status != 0) return std::nullopt;
  const auto files = authorized_keys::read_by_sshd(answer.out, account.name, account.home);
  const std::string path = authorized_keys::path_of(account.name);
  if (std::find(files.begin(), files.end(), path) != files.end()) return std::nullopt;
  return fmt::format("sshd does not read {}: {}/etc/sshd_config.d/sallyport.conf is not in force", path,
                     paths::kPrefix);
}

}  // namespace

home::Made enrol(const std::string& name, const home::Wanted& wanted) {
  // An interruption would leave the work half done.
  const SignalsPutOff put_off({SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP});
  Undo undo;
  std::vector<std::string> steps;
  auto account = proxy_account::find(name);
  if (account) proxy_account::check_may_transfer_only(*account);
  make_group(steps, undo);
  if (account) {
    update_account(*account, steps);
    undo.keep();  // stricter settings stay
  } else {
    if (authorized_keys::read(name))
      throw tool::Failure(tool::not_permitted, fmt::format("{}: {} is left from an account that is gone: remove it",
                                                           name, authorized_keys::path_of(name)));
    make_account(name, steps, undo);
    account = proxy_account::find(name);
    if (!account) throw tool::Failure(tool::os, name + ": the account was made, but does not exist");
    given_uids::note(account->uid);
  }
  auto made = home::furnish(*account, wanted);
  authorize(*account, wanted, made);
  undo.keep();
  steps.insert(steps.end(), made.steps.begin(), made.steps.end());
  made.steps = std::move(steps);
  if (!made.steps.empty()) logging::event("Enrolled user={} uid={} keys={}", name, account->uid, wanted.keys.size());
  if (!wanted.keys.empty() || wanted.move) {
    if (auto elsewhere = sshd_reads_elsewhere(*account)) made.warnings.push_back(std::move(*elsewhere));
  }
  return made;
}

}  // namespace enrolment
