// host_keys: the keys that servers show, by ssh-keyscan(1) or ssh(1), and changes of known_hosts.
// ssh/known_hosts reads that file, for this and for sessions.
//
//   [203.0.113.10]:2222 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI…
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "ssh/known_hosts.h"

namespace host_keys {

using known_hosts::Entry;
using known_hosts::Key;

// Pure. Parses the output of ssh-keyscan. The host's name in it is ignored, lines that are not keys
// are skipped, and a repeated key counts once.
std::vector<Key> parse_scan(std::string_view text);

// The keys that `server` shows; with `old_algorithms` also when it knows no others. Takes at most 30 s. Failure{69}
// when it shows none.
std::vector<Key> scan(const HostPort& server, bool old_algorithms);
// As known_hosts::load, but a missing file is an empty one.
std::string load(const std::string& path);
// "SHA256:…", as OpenSSH prints it.
std::string fingerprint(const Key& key);
// True if `text` has the form of a fingerprint.
bool is_fingerprint(std::string_view text);

// Pure. `text`, of known_hosts, without `name` in the line of `entry`. The line stays if it has other
// names. Absent when the line matches `name` by a pattern, also beside its name.
std::optional<std::string> without(const std::string& text, const Entry& entry, const std::string& name);
// Pure. `text` with one more line.
std::string with(std::string text, const std::string& name, const Key& key);

}  // namespace host_keys
