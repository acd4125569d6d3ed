// config/node_users: the users of the node API. asnodeadmin(8) writes the file; the node
// service and asp-lease read it.
//
//   # PREFIX/etc/node_users.conf, root:sallyport-node, 0640
//   node_api_user:$y$j9T$…:transfer_user:
//   operator:$y$j9T$…:transfer_user:admin
//
// One line each: name, crypt(3) yescrypt hash, account of this host, ACLs separated
// by commas. The file is checked (fstat) to be root's and writable by root alone.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/file.h"

struct NodeUser {
  std::string name;  // config::value::is_account
  std::string hash;  // crypt(5), yescrypt
  std::string system_user;
  std::vector<std::string> acls;  // only "admin" exists

  bool is_admin() const;
};

namespace config::node_users {

// A thousand times the size to be expected. The limit of a password is in bytes, too.
constexpr std::size_t kMaxBytes = 1024 * 1024;
constexpr std::size_t kMaxPassword = 255;

// A name that config::value::is_account accepts, without # in front.
bool is_name(std::string_view text);
// 1 to kMaxPassword bytes, none of them a control character.
bool is_password(std::string_view text);

// The users in the order of the file; none when there is no file. Failure{78} with file and line for
// what cannot be read.
std::vector<NodeUser> load(const std::string& path);
// The same for the file's text; `file` is the name for messages.
std::vector<NodeUser> parse(std::string_view text, const std::string& file);

// Writes the file with owner, group and mode as above. Failure{71}: there is no such group; otherwise
// fails as config::file::Lock::replace does.
void save(const config::file::Lock& lock, const std::vector<NodeUser>& users);
std::string text_of(const std::vector<NodeUser>& users);

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
