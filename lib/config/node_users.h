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

#include <string>
#include <string_view>
#include <vector>

namespace config {

struct NodeUser {
  std::string name;  // is_name
  std::string hash;  // crypt(5), yescrypt
  std::string system_user;
  std::vector<std::string> acls;  // only "admin" exists

  bool is_admin() const;
};

}  // namespace config

namespace config::node_users {

// A thousand times the size to be expected.
constexpr std::size_t kMaxBytes = 1024 * 1024;

// 1 to 64 printable ASCII characters without blank, slash, colon and comma, and no dash or # in front.
bool is_name(std::string_view text);
// True for a hash as config/node_passwords.h makes it: yescrypt, of only one cost.
bool is_hash(std::string_view text);

// The users in the order of the file; none when there is no file. Failure{78} with file and line for
// what cannot be read.
std::vector<NodeUser> load(const std::string& path);
// The same for the file's text; `file` is the name for messages.
std::vector<NodeUser> parse(std::string_view text, const std::string& file);

std::string text_of(const std::vector<NodeUser>& users);

}  // namespace config::node_users
