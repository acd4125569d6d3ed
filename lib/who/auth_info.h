// who/auth_info: the key with which the client logged in, as sshd tells it when
// ExposeAuthInfo is set (sshd_config(5)): the file named by SSH_USER_AUTH has a
// line for each method that succeeded, such as
//
//   publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI…
#pragma once

#include <string>
#include <string_view>

namespace auth_info {

// "SHA256:…" of the first public key in such a text, as ssh-keygen -l prints it (RFC 4648 base64
// without padding); empty when there is no key.
std::string fingerprint(std::string_view text);

// The fingerprint from the file that SSH_USER_AUTH names; empty when that is not set or cannot be
// read.
std::string of_this_session();

}  // namespace auth_info
