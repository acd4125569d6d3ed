// who/authorized_keys: the public keys that open a proxy user's account, in a file of root's, which neither the user
// nor code that runs as the user can change. etc/sshd_config.d/sallyport.conf has sshd read no other.
//
//   /etc/ssh/authorized_keys/bear   root, 0644: sshd reads it with the user's rights
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace authorized_keys {

constexpr char kFolder[] = "/etc/ssh/authorized_keys";

// `name` is that of an account (proxy_account::is_name).
std::string path_of(const std::string& name);

// Absent: there is no such file. Failure{77} when others than root can change it, or where its path leads.
std::optional<std::string> read(const std::string& name);
// Makes the directory, too. The same failures; Failure{71, 74}.
void write(const std::string& name, std::string_view text);
// False: there was none. Failure{71}.
bool remove(const std::string& name);

// The files that sshd reads for that user, by what `sshd -T -C user=NAME` says. Pure.
std::vector<std::string> read_by_sshd(std::string_view settings, const std::string& name, const std::string& home);

}  // namespace authorized_keys
