// ssh_story: how far ssh(1) has come, by what it says at LogLevel DEBUG1.
//
//   debug1: Server host key: ssh-ed25519 SHA256:Pj9Zk0…
//   debug1: Host '[proxy.example.com]:33001' is known and matches the ED25519 host key.
//   debug1: Offering public key: /home/bear/.ssh/id_ed25519 ED25519 SHA256:xkE7hH… explicit
//   Authenticated to proxy.example.com ([198.51.100.39]:33001) using "publickey".
//
// OpenSSH does not translate them, and they are the same in 8.4 to 10. A line that is not known changes nothing.
// From the log-in on, what is said may be the other end's; nothing is believed of it but that it is said.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace asp_cp {

class SshStory {
 public:
  enum class HostKey { unseen, seen, unknown, changed, accepted };

  // False when the line is for us alone, and not for people.
  bool take(std::string_view line);

  HostKey host_key = HostKey::unseen;
  std::string shown_key;  // "ssh-ed25519 SHA256:…"; empty: it has shown none
  bool logged_in = false;
  std::string method;                // "publickey"
  std::vector<std::string> offered;  // "ED25519 SHA256:…" of each key of the user's
  std::string last;                  // the last line for people before the log-in, or since
};

}  // namespace asp_cp
