// Who may write and read the files that the proxy's safety rests on.
#include <grp.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include <fmt/core.h>

#include "base/paths.h"
#include "security.h"
#include "session/rules.h"
#include "ssh/upstream_command.h"
#include "who/authorized_keys.h"

namespace security {
namespace {

namespace fs = std::filesystem;
using doctor::command_at;
using upstream::shell_command;

std::optional<struct stat> facts_of(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return std::nullopt;
  return status;
}

// "group staff and everybody", of those that have one of these bits.
std::string those(const struct stat& status, mode_t of_group, mode_t of_others) {
  std::string text;
  if ((status.st_mode & of_group) != 0) {
    const ::group* const found = ::getgrgid(status.st_gid);
    text = fmt::format("group {}", found ? found->gr_name : std::to_string(status.st_gid));
  }
  if ((status.st_mode & of_others) != 0) text += text.empty() ? "everybody" : " and everybody";
  return text;
}
std::string writers(const struct stat& status) { return those(status, S_IWGRP, S_IWOTH); }
std::string readers(const struct stat& status) { return those(status, S_IRGRP | S_IWGRP, S_IROTH | S_IWOTH); }

std::string real(const std::string& path) {
  std::error_code error;
  return fs::weakly_canonical(path.empty() ? "/" : path, error);
}

std::string parent_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

void check_root_path(const std::string& path, bool is_above, Findings& found) {
  const auto status = facts_of(path);
  if (!status) return;
  if (status->st_uid != 0)
    found.push_back({"writable", false, path, fmt::format("belongs to uid {}", status->st_uid),
                     shell_command({"chown", "root", path})});
  // Where files are only above, a sticky folder like /tmp lets nobody rename them.
  if (is_above && S_ISDIR(status->st_mode) && (status->st_mode & S_ISVTX) != 0) return;
  if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0)
    found.push_back({"writable", false, path, fmt::format("may be written by {}", writers(*status)),
                     shell_command({"chmod", "go-w", path})});
}

// May belong to the account, and be written by nobody else. A link may be the user's: it is not followed. False then.
bool check_user_path(const Account& account, uid_t owner, const std::string& path, Findings& found) {
  const auto status = facts_of(path);
  if (!status) return true;
  if (S_ISLNK(status->st_mode)) {
    found.push_back({"not_judged", true, account.name, path + " is a symbolic link, and not followed",
                     shell_command({"readlink", "-f", path}) + "  # put a file or folder in its place"});
    return false;
  }
  const bool is_below = owner != 0 && path != real(account.home);
  // The account cannot change it, and root must not: it may be a link when the cure is pasted.
  const std::string aside = command_at(parent_of(path), {"mv", "-T", path, path + ".old"});
  if (status->st_uid != 0 && status->st_uid != owner)
    found.push_back(
        {"writable", true, account.name, fmt::format("{} belongs to uid {}", path, status->st_uid),
         is_below ? aside : command_at(parent_of(path), {"chown", owner == 0 ? "root" : account.name, path})});
  if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0)
    found.push_back({"writable", true, account.name, fmt::format("{} may be written by {}", path, writers(*status)),
                     is_below && status->st_uid != owner ? aside : command_at(path, {"chmod", "go-w", path})});
  return true;
}

// A private key, which `group` may read, if that is given. `base` says whose it is.
void check_key(const std::string& path, Finding base, const char* group, Findings& found) {
  static std::set<std::string> looked_at;
  const auto status = facts_of(path);
  if (!status || !looked_at.insert(path).second) return;
  if (S_ISLNK(status->st_mode)) {
    base.check = "not_judged";
    base.what = fmt::format("the private key {} is a symbolic link, and not followed", path);
    base.cure = shell_command({"readlink", "-f", path}) + "  # put the key itself there";
    found.push_back(std::move(base));
    return;
  }
  const ::group* const owner = ::getgrgid(status->st_gid);
  const bool may_read = group && owner && owner->gr_name == std::string(group);
  if ((status->st_mode & (may_read ? 026U : 066U)) == 0) return;
  base.check = "private_keys";
  base.what = fmt::format("the private key {} is open to {}", path, readers(*status));
  base.cure = command_at(path, {"chmod", "600", path}) + "  # make a new key if others had access";
  found.push_back(std::move(base));
}

// The keys below ~/.ssh, in the order of their names.
std::vector<std::string> keys_in(const std::string& directory) {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename();
    if (name.starts_with("id_") && !name.ends_with(".pub") && !(entry.is_directory(error) && !entry.is_symlink(error)))
      found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

bool is_within(const std::string& path, const std::string& directory) {
  return path == directory || directory == "/" || path.starts_with(directory + "/");
}

void check_root_paths(const std::vector<std::string>& paths, Findings& found) {
  std::map<std::string, bool> all;  // path, and whether it is only above others
  for (const auto& path : paths) {
    std::error_code error;
    fs::path real = fs::canonical(path, error);
    if (error) continue;
    all[real] = false;
    while (real != "/") {
      real = real.parent_path();
      all.emplace(real, true);
    }
  }
  for (const auto& [path, is_above] : all) check_root_path(path, is_above, found);
}

void check_user_files(const Account& account, const sshd_contexts::Settings& settings,
                      const std::vector<std::string>& keyfiles, Findings& found) {
  static std::set<std::string> folders;  // of root's, looked at
  const std::string home = real(account.home);
  const std::string ssh = home + "/.ssh";
  bool follows = false;
  if (home != "/") {
    check_user_path(account, account.uid, home, found);
    follows = check_user_path(account, account.uid, ssh, found);
  }
  std::string at_home;
  const std::string patterns = "authorizedkeysfile " + sshd_contexts::first(settings, "authorizedkeysfile", "none");
  for (const auto& file : authorized_keys::read_by_sshd(patterns, account.name, home)) {
    if (!is_within(file, home)) {
      check_user_path(account, 0, file, found);
      const std::string folder = file.substr(0, file.rfind('/'));
      if (folders.insert(folder).second) check_root_paths({folder}, found);
      continue;
    }
    if (at_home.empty()) at_home = file;
    if (follows || !is_within(file, ssh)) check_user_path(account, account.uid, file, found);
  }
  // An ordinary account, which only a docroot for all restricts, keeps its keys where everybody has them.
  if (!at_home.empty() && account.is_member)
    found.push_back(
        {"keys_at_home", true, account.name,
         fmt::format("sshd takes keys from {}, where code that runs as the user can add some", at_home),
         shell_command({"asp-adduser", "-s", "-m", account.name}) + fmt::format("; {}", doctor::kSampleInForce)});
  const Finding base{"", true, account.name, "", ""};
  if (follows && fs::is_directory(ssh)) {
    for (const auto& key : keys_in(ssh)) check_key(key, base, nullptr, found);
  }
  for (const auto& key : keyfiles) {
    const std::string expanded = session::rules::expand_user(key, account.name);
    if (expanded != key) check_key(expanded, base, nullptr, found);
  }
}

void check_system_keys(const sshd_contexts::Settings& settings, const std::vector<std::string>& keyfiles,
                       Findings& found) {
  std::error_code error;
  const auto check = [&](const std::string& path, const char* group) {
    if (!fs::is_regular_file(path, error)) return;
    const std::string real = fs::canonical(path, error);
    check_key(real, {"", false, path, "", ""}, group, found);
  };
  if (const auto host_keys = settings.find("hostkey"); host_keys != settings.end()) {
    for (const auto& key : host_keys->second) check(key, "ssh_keys");
  }
  for (const auto& entry : fs::directory_iterator(SALLYPORT_PREFIX "/etc/ssh_keys", error)) {
    if (entry.path().extension() != ".pub") check(entry.path(), nullptr);
  }
  for (const auto& key : keyfiles) {
    if (key.find("$(") == key.npos) check(key, nullptr);
  }
}

}  // namespace security
