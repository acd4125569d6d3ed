// base/accounts: users and groups, as the system knows them; getpwuid(3), getgrouplist(3).
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/child.h"

namespace accounts {

// True for what names accounts and groups of any kind: bear, CORP\bear, "domain users", host$, a name in UTF-8.
// 1 to 200 bytes, without control characters, slashes, colons and commas; no dash and no blank in front, no blank
// at the end, and not . or .. So it may be a file's name, and a field of a record.
bool is_name(std::string_view text);

// Failure{71} when `uid` has no account.
std::string name_of(uid_t uid);

bool exists(const std::string& user);

// The home directory that passwd(5) has for `user`. Failure{71} when there is no such account.
std::string home_of(const std::string& user);

// Uid and primary group of `user`. Failure{71} when there is no such account.
child::Identity identity_of(const std::string& user);

// The identity of a program that reads input from the network for us: nobody. Absent: we are not root,
// and have no rights to lose. Failure{71}.
std::optional<child::Identity> without_rights();

// True if who is in that group can become root, in one step or two, or read what root alone should: "sudo", "docker".
bool is_of_administrators(std::string_view group);

// Names of the groups of `user`, the primary one included; none for an unknown user.
std::vector<std::string> groups_of(const std::string& user);

}  // namespace accounts
