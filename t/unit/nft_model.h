// What nft(8) -f makes of a script about our table, and where the kernel then leads a
// packet. Like iptables_model: it knows the words that firewall/nft_text.h writes and no
// other, and refuses what the real one would.
//
//   nft_model::Ruleset ruleset;
//   ruleset.run(firewall::nft_text::base(sessions));
//   const auto passage = ruleset.forward({.source = client, .destination = proxy, ...});
#pragma once

#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "traffic.h"

namespace nft_model {

struct Refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

using Words = std::vector<std::string>;

struct Element {
  std::string value, comment;
  bool operator==(const Element&) const = default;
};

struct Map {
  Words key, value;  // the types of their parts
  std::map<std::string, Element> elements;
  bool operator==(const Map&) const = default;
};

struct Rule {
  Words words;
  std::string comment;
  bool operator==(const Rule&) const = default;
};

struct Chain {
  std::string hook;  // "prerouting", "postrouting"; empty: only by a jump
  int priority = 0;
  std::vector<Rule> rules;
  bool operator==(const Chain&) const = default;
};

struct Table {
  std::map<std::string, Map> maps;
  std::map<std::string, std::set<std::string>> sets;
  std::map<std::string, Chain> chains;
  bool operator==(const Table&) const = default;
};

class Ruleset {
 public:
  // All of it or, throwing Refused, nothing.
  void run(const std::string& script);
  // Nothing when there is no table.
  const Table* table() const { return there_ ? &table_ : nullptr; }
  // Through prerouting and postrouting.
  traffic::Passage forward(const traffic::Packet& packet) const;

 private:
  bool there_ = false;
  Table table_;
};

}  // namespace nft_model
