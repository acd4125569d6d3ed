// host_keys: keys that servers have, and keys that known_hosts has for them; by
// ssh-keyscan(1) and ssh-keygen(1).
//
//   [203.0.113.10]:2222 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI…
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"

namespace host_keys {

struct Key {
  std::string type;  // "ssh-ed25519"
  std::string blob;  // base64
  bool operator==(const Key&) const = default;
};

// A line of known_hosts that is for the host that was asked for.
struct Entry {
  enum class Kind { key, revoked, authority };
  std::size_t line = 0;  // from 1
  Kind kind = Kind::key;
  std::string names;  // as it stands there: "a,b", or hashed
  Key key;
};

// Pure. What ssh-keyscan printed: the host's name in it is not looked at, lines
// that are no keys are passed over, and a key that is there twice counts once.
std::vector<Key> parse_scan(std::string_view text);
// Pure. What `ssh-keygen -F name` printed.
std::vector<Entry> parse_found(std::string_view text);

// The keys that `server` shows. At most 15 s. Failure{69} when it shows none.
std::vector<Key> scan(const HostPort& server);
// The entries for `name` (upstream::known_hosts_name) in the file; no such file
// is none.
std::vector<Entry> lookup(const std::string& known_hosts, const std::string& name);
// "SHA256:…", as OpenSSH prints it.
std::string fingerprint(const Key& key);
// Whether `text` has the form of one.
bool is_fingerprint(std::string_view text);

// Pure. `text`, of known_hosts, without `name` in the line of `entry`: the line
// stays for other names that it has. Absent: it is there by a pattern.
std::optional<std::string> without(const std::string& text, const Entry& entry, const std::string& name);
// Pure. `text` with one more line.
std::string with(std::string text, const std::string& name, const Key& key);

}  // namespace host_keys
