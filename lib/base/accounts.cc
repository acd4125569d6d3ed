#include "base/accounts.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

#include <fmt/core.h>

#include "base/failure.h"

namespace accounts {

std::string name_of(uid_t uid) {
  const passwd* entry = ::getpwuid(uid);
  if (!entry) throw tool::Failure(tool::os, fmt::format("uid {} has no account", uid));
  return entry->pw_name;
}

child::Identity identity_of(const std::string& user) {
  const passwd* entry = ::getpwnam(user.c_str());
  if (!entry) throw tool::Failure(tool::os, fmt::format("there is no account {}; see INSTALL", user));
  return {entry->pw_uid, entry->pw_gid};
}

std::optional<child::Identity> without_rights() {
  if (::geteuid() != 0) return std::nullopt;
  return identity_of("nobody");
}

// Those of the system, of services that start containers and machines as root, of disks; staff writes to /usr/local,
// adm reads the logs.
bool is_of_administrators(std::string_view group) {
  constexpr std::string_view kGroups[] = {"root",   "sudo",        "wheel",   "admin",  "adm",
                                          "shadow", "disk",        "staff",   "lxd",    "incus",
                                          "docker", "incus-admin", "libvirt", "podman", "kvm"};
  return std::find(std::begin(kGroups), std::end(kGroups), group) != std::end(kGroups);
}

std::string home_of(const std::string& user) {
  const passwd* entry = ::getpwnam(user.c_str());
  if (!entry) throw tool::Failure(tool::os, fmt::format("there is no account {}", user));
  return entry->pw_dir;
}

bool exists(const std::string& user) { return ::getpwnam(user.c_str()) != nullptr; }

std::vector<std::string> groups_of(const std::string& user) {
  const passwd* entry = ::getpwnam(user.c_str());
  if (!entry) return {};
  int count = 64;
  std::vector<gid_t> ids(static_cast<std::size_t>(count));
  while (::getgrouplist(user.c_str(), entry->pw_gid, ids.data(), &count) < 0)
    ids.resize(static_cast<std::size_t>(count));
  ids.resize(static_cast<std::size_t>(count));
  std::vector<std::string> names;
  for (const gid_t id : ids) {
    if (const group* found = ::getgrgid(id)) names.push_back(found->gr_name);
  }
  return names;
}

}  // namespace accounts
