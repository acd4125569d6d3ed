// config/node_passwords: the passwords of the users of the node API, hashed and compared.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/node_users.h"

namespace config::node_users {

// In bytes.
constexpr std::size_t kMaxPassword = 255;

// 1 to kMaxPassword bytes, none of them a control character.
bool is_password(std::string_view text);

// Hashes at the cost of Debian's own passwords (20 ms and 16 MiB). The file may have no other cost: so
// a hash takes the same time for all users, and no line can make it take a minute. Failure{65} unless
// is_password.
std::string hash_password(std::string_view password);

// The user, if the password is right. It takes the time of one hash also when there is no such user,
// or the password is not valid, and compares in constant time. Thread-safe. Failure{71} when there is
// no memory for it.
std::optional<NodeUser> authenticate(const std::vector<NodeUser>& users, std::string_view name,
                                     std::string_view password);

}  // namespace config::node_users
