// ssh/known_hosts: the entries of a known_hosts file for one server; sshd(8),
// SSH_KNOWN_HOSTS FILE FORMAT. Sessions, `asperaproxy check` and `asperaproxy trust` all
// use it. Pure except for load().
//
//   203.0.113.10 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI…
//   [203.0.113.10]:2222,inside*.example.com,!inside9.example.com ssh-rsa AAAA…
//   |1|JfKTdBh7rNbXkVAQCRp4OQoPfmI=|USECr3SWf1JUPsms5AqfD5QfxkM= ssh-rsa AAAA…
//   @revoked * ssh-rsa AAAA…
//   @cert-authority *.example.com ssh-ed25519 AAAA…
//
// Lines are read as OpenSSH reads them, with two differences, both on the strict
// side: a tab may separate the marker from the names, and a revoked key counts as
// revoked whatever type is written before it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace known_hosts {

constexpr std::size_t kMaxBytes = 1024 * 1024;

// A public key as it stands in the file.
struct Key {
  std::string type;  // "ssh-ed25519"
  std::string blob;  // base64, with padding
  bool operator==(const Key&) const = default;
};

enum class Marker { none, revoked, authority };

struct Entry {
  std::size_t line = 0;  // from 1
  Marker marker = Marker::none;
  std::string names;  // as written there: "a,b", or hashed
  Key key;
};

struct Entries {
  std::vector<Entry> of_host;         // in the order of the file
  std::vector<std::size_t> unparsed;  // numbers of lines that are not valid, for whichever host

  // Text to follow the file's name: "; 2 of its lines cannot be read, the first is 7"; empty when all lines
  // are valid.
  std::string unparsed_text() const;
};

// The entries for `name`: upstream::known_hosts_name, in lower case.
Entries find(std::string_view text, std::string_view name);

// True if the names of a line, hashed or not, match `name`.
bool names_match(std::string_view names, std::string_view name);

enum class Verdict { enrolled, revoked, changed, other_type, only_authority, unknown };

// The verdict of the entries on the key that the server shows.
Verdict judge(const std::vector<Entry>& entries, const Key& shown);

// The types of the keys that are enrolled and not revoked, each once, in the order of the file. None:
// no session will accept the server.
std::vector<std::string> types(const std::vector<Entry>& entries);

// Reads the file. Failure{76} when it cannot be read or has more than kMaxBytes: no key is known then.
std::string load(const std::string& path);

}  // namespace known_hosts
