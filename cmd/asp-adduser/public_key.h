// public_key: the lines of authorized_keys that asp-adduser accepts.
//
//   ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI... bear@laptop
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace public_key {

constexpr std::size_t kMaxText = 64 * 1024;
constexpr std::size_t kMaxKeys = 64;

struct Key {
  std::string type;     // one of the known types; DSA is not among them
  std::string base64;   // canonical; its contents fit the type
  std::string comment;  // [A-Za-z0-9@._+:/ -]*, other characters became _; at most 100 bytes

  std::string line() const;  // without a newline
  bool operator==(const Key& other) const { return type == other.type && base64 == other.base64; }
};

// One key a line, or several lines in the form of RFC 4716 ("---- BEGIN SSH2 PUBLIC KEY ----"). Empty lines, and those
// that begin with #, are skipped; a repeated key counts once. Options in front of a key are refused, since they could
// run a command; so is an RSA key of less than 2048 bits. Failure{65} "NAME:LINE: why", also when there is no key at
// all. `name` is where the text comes from.
std::vector<Key> parse(std::string_view text, const std::string& name);

// A line of an authorized_keys file.
struct Line {
  std::string text;     // as it is
  std::string options;  // in front of the key
  Key key;
  // The key is no user's: whoever has it lets in any number of others (cert-authority).
  bool is_authority() const;
  bool operator==(const Line& other) const { return text == other.text; }
};

// The lines that have a key, options included; others are left out, and so are those with control characters.
// Failure{65} when there are more than kMaxKeys.
std::vector<Line> lines_of(std::string_view text);

// True if `line`, of an authorized_keys file, has `key`, with options or not.
bool holds(std::string_view line, const Key& key);

}  // namespace public_key
