// node_users: who may ask the node API; asnodeadmin(8) writes the file, the node
// service and asp-lease read it.
//
//   # PREFIX/etc/node_users.conf, root:sallyport-node, 0640
//   node_api_user:$y$j9T$…:transfer_user:
//   operator:$y$j9T$…:transfer_user:admin
//
// One line each: name, crypt(3) yescrypt hash, account of this host, ACLs parted
// by commas. The file is checked (fstat) to be root's and writable by root alone.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct NodeUser {
  std::string name;           // config_value::is_account
  std::string hash;           // crypt(5), yescrypt
  std::string system_user;
  std::vector<std::string> acls;  // "admin" is the only one there is

  bool is_admin() const;
};

namespace node_users {

// In the order of the file; none when there is no file. Failure{78} with file and
// line for what cannot be read.
std::vector<NodeUser> load(const std::string& path);
// Writes a new file beside it and renames it; owner, group and mode as above. The
// caller holds the file's lock. Failure{71}.
void save(const std::string& path, const std::vector<NodeUser>& users);

std::string hash_password(std::string_view password);

// The user, if the password is his. Takes the time of one hash also where there
// is no such user, and compares in constant time. Thread-safe.
std::optional<NodeUser> authenticate(const std::vector<NodeUser>& users, std::string_view name, std::string_view password);

}  // namespace node_users
