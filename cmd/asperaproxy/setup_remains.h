// setup_remains: what `asperaproxy setup` cannot do, since it is on other machines: lines to give to those who can.
#pragma once

#include <string>
#include <vector>

#include "setup_answers.h"

namespace asperaproxy::setup {

// What goes in one direction through a firewall.
struct Passage {
  std::string firewall;  // "outer"
  std::string from;
  std::string to;
  std::string ports;  // "TCP 33001, UDP 33001"
};
// Pure. The passages as a table with a heading.
std::string table(const std::vector<Passage>& passages);

// Pure. A line of authorized_keys that is good for connections from these addresses alone. `key`: a public key.
std::string authorized_line(const std::vector<std::string>& from, const std::string& key);

// The whole text. `let_in`: the servers take the key already.
std::string remains(const Answers& answers, bool let_in);

}  // namespace asperaproxy::setup
