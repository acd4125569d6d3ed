// effective: the values in force, one a line.
//
//   rproxy_enabled: "true"
//   rproxy_rule_1_keyfile: "/home/$(user)/.ssh/id_rsa"
//   absolute: "/sandbox/bear"
//
// In a value, a quote and a backslash have a backslash before them, and every
// byte that is not printable ASCII is \xNN. Secrets are not shown.
#pragma once

#include <string>

namespace asuserdata {

// Of the server, the defaults, and each user and group that the file at `path`
// names. Failure{78}.
std::string everything(const std::string& path);

// Of one account: what the file says for the user, else for a group of his, else
// for all. Failure{1} when there is no such account; Failure{78}.
std::string of_user(const std::string& path, const std::string& user);

}  // namespace asuserdata
