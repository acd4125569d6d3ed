// effective: the values in force, one a line.
//
//   rproxy_enabled: "true"
//   rproxy_rule_1_keyfile: "/home/$(user)/.ssh/id_rsa"
//   absolute: "/sandbox/bear"
//
// A quote or a backslash in a value is escaped by a backslash, and every byte that
// is not printable ASCII is \xNN. Secrets are not shown.
#pragma once

#include <string>

namespace asuserdata {

// The values of the server, the defaults, and each user and group in the file at `path`. Failure{78}.
std::string everything(const std::string& path);

// The values for one account: those that the file has for the user, then for the user's groups, then
// for all. Failure{1} when there is no such account; Failure{78}.
std::string of_user(const std::string& path, const std::string& user);

// The values for the members of one group: those that the file has for it, then for all. Failure{1} when neither
// the system nor the file has such a group; Failure{78}.
std::string of_group(const std::string& path, const std::string& group);

}  // namespace asuserdata
