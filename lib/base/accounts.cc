#include "base/accounts.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <iterator>

#include <fmt/core.h>

#include "base/failure.h"

namespace accounts {
namespace {

// RFC 3629: no surrogates, nothing above U+10FFFF, nothing longer than it has to be. And no control characters.
bool is_plain_utf8(std::string_view text) {
  while (!text.empty()) {
    const auto lead = static_cast<unsigned char>(text[0]);
    const auto length = static_cast<std::size_t>(lead < 0x80 ? 1 : std::countl_one(lead));
    constexpr char32_t kLowest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (length > text.size() || length > 4 || (length == 1 && lead >= 0x80)) return false;
    char32_t point = length == 1 ? lead : lead & (0x7fU >> length);
    for (std::size_t i = 1; i < length; ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      if (byte >> 6 != 2) return false;
      point = point << 6 | (byte & 0x3fU);
    }
    if (point < kLowest[length] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return false;
    if (point < ' ' || (point >= 0x7f && point < 0xa0)) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace

bool is_name(std::string_view text) {
  constexpr std::size_t kMaxName = 200;
  if (text.empty() || text.size() > kMaxName || text == "." || text == "..") return false;
  if (text.front() == '-' || text.front() == ' ' || text.back() == ' ') return false;
  return is_plain_utf8(text) && text.find_first_of("/:,") == text.npos;
}

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
