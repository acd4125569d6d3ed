// public_key: the lines of authorized_keys that asp-adduser takes.
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
  std::string type;     // one of those that are known, DSA not among them
  std::string base64;   // canonical; what is in it fits the type
  std::string comment;  // [A-Za-z0-9@._+:/ -]*, everything else became _; at most 100 bytes

  std::string line() const;  // without a newline
  bool operator==(const Key& other) const { return type == other.type && base64 == other.base64; }
};

// One key a line; empty lines, and those that begin with #, are passed over; a
// key that is there twice counts once. Options in front of a key are refused,
// since they could run a command; so is an RSA key of less than 2048 bits.
// Failure{65} "NAME:LINE: why", also when there is no key at all. `name` is
// where the text comes from.
std::vector<Key> parse(std::string_view text, const std::string& name);

// Whether `line`, of an authorized_keys file, holds `key`, with options or not.
bool holds(std::string_view line, const Key& key);

}  // namespace public_key
