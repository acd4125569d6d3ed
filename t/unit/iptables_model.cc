#include "iptables_model.h"

#include <algorithm>
#include <set>
#include <sstream>

#include <fmt/core.h>

namespace iptables_model {
namespace {

using traffic::Packet;
using traffic::Passage;

constexpr std::size_t kLongestName = 28;      // XT_EXTENSION_MAXNAMELEN, less its NUL
constexpr std::size_t kLongestComment = 255;  // XT_MAX_COMMENT_LEN, less its NUL
constexpr int kLongestWalk = 1000;
const std::set<std::string> kOwnTargets{"ACCEPT", "CONNMARK", "DNAT", "MASQUERADE", "REDIRECT", "SNAT"};
const std::map<std::string, std::vector<std::string>> kBuiltIn{
    {"filter", {"FORWARD", "INPUT", "OUTPUT"}}, {"nat", {"INPUT", "OUTPUT", "POSTROUTING", "PREROUTING"}}};

template <typename Value>
Value require(std::optional<Value> value, const std::string& text) {
  if (!value) throw Refused("not understood: " + text);
  return *value;
}

std::vector<std::uint8_t> bytes_of(const IpAddress& ip) { return {ip.bytes(), ip.bytes() + (ip.is_v4() ? 4 : 16)}; }

// "198.51.100.10/32", "0.0.0.2/0.0.0.3", "::2/::3".
Rule::Mask parse_mask(const std::string& text) {
  const auto slash = text.find('/');
  if (slash == text.npos) throw Refused("no mask: " + text);
  const auto value = bytes_of(require(IpAddress::parse(text.substr(0, slash)), text));
  const std::string mask = text.substr(slash + 1);
  if (mask.find_first_of(".:") != mask.npos) return {value, bytes_of(require(IpAddress::parse(mask), text))};
  std::vector<std::uint8_t> bits(value.size());
  for (int bit = 0; bit < std::stoi(mask); ++bit) bits.at(bit / 8) |= 0x80 >> bit % 8;
  return {value, bits};
}

std::pair<std::uint32_t, std::uint32_t> parse_mark(const std::string& text) {
  std::size_t end = 0;
  const auto value = static_cast<std::uint32_t>(std::stoul(text, &end, 16));
  if (text.at(end) != '/') throw Refused("no mask: " + text);
  return {value, static_cast<std::uint32_t>(std::stoul(text.substr(end + 1), nullptr, 16))};
}

PortRange parse_ports(const std::string& text) {
  if (text.find(':') != text.npos) return require(PortRange::parse(text), text);
  const Port port = require(parse_port(text), text);
  return {port, port};
}

// The words of one rule, and what has been read of them.
class Reader {
 public:
  explicit Reader(const std::string& text) : words_(text) { rule_.text = text; }

  Rule read() {
    for (std::string word; words_ >> word;) take(word);
    return rule_;
  }

 private:
  std::string next() {
    std::string word;
    if (!(words_ >> word)) throw Refused("cut off: " + rule_.text);
    return word;
  }
  // An option of an extension, which must have been loaded.
  std::string next_of(const char* extension) {
    if (!loaded_.contains(extension)) throw Refused(fmt::format("-m {} is missing: {}", extension, rule_.text));
    return next();
  }

  void take(const std::string& word) {
    if (word == "-s") rule_.source = parse_mask(next());
    else if (word == "-d") rule_.destination = parse_mask(next());
    else if (word == "-p") rule_.protocol = next();
    else if (word == "-m") loaded_.insert(next());
    else if (word == "--sport") rule_.source_ports = parse_ports(next_of("udp"));
    else if (word == "--dport") rule_.destination_ports = parse_ports(next_of("udp"));
    else if (word == "--mark") rule_.mark = parse_mark(next_of("connmark"));
    else if (word == "--comment") rule_.comment = next_of("comment");
    else if (word == "--ctorigdst") take_original_destination(next_of("conntrack"));
    else if (word == "--ctorigdstport") take_original_port(next_of("conntrack"));
    else if (word == "-j" || word == "-g") take_target(word);
    else throw Refused("what is " + word + " in: " + rule_.text);
  }
  void take_original_destination(const std::string& text) {
    rule_.original_destination = require(IpAddress::parse(text), text);
  }
  void take_original_port(const std::string& text) { rule_.original_port = require(parse_port(text), text); }
  // The last of a rule, with its argument.
  void take_target(const std::string& word) {
    static const std::map<std::string, std::string> options{
        {"CONNMARK", "--set-xmark"}, {"DNAT", "--to-destination"}, {"SNAT", "--to-source"}};
    if (rule_.comment.size() > kLongestComment) throw Refused("comment too long: " + rule_.text);
    if (loaded_.contains("udp") && rule_.protocol != "udp") throw Refused("-m udp without -p udp: " + rule_.text);
    rule_.target = next();
    rule_.goes = word == "-g";
    const auto option = options.find(rule_.target);
    if (option != options.end()) {
      if (next() != option->second) throw Refused("no argument: " + rule_.text);
      rule_.argument = next();
    }
    std::string rest;
    if (words_ >> rest) throw Refused("something behind the target: " + rule_.text);
  }

  std::istringstream words_;
  std::set<std::string> loaded_;
  Rule rule_;
};

bool is_target_of(const Table& table, const std::string& name) {
  for (const auto& [chain, rules] : table) {
    for (const auto& rule : rules) {
      if (rule->target == name) return true;
    }
  }
  return false;
}

Chain& chain_of(Table& table, const std::string& name) {
  const auto found = table.find(name);
  if (found == table.end()) throw Refused("no chain " + name);
  return found->second;
}

auto find(Chain& chain, const std::string& text) {
  const auto found = std::find_if(chain.begin(), chain.end(), [&](const auto& rule) { return rule->text == text; });
  if (found == chain.end()) throw Refused("no such rule: " + text);
  return found;
}

// ":NAME - [0:0]": made, or emptied.
void declare(Table& table, const std::string& line) {
  const std::string name = line.substr(1, line.find(' ') - 1);
  if (line != ":" + name + " - [0:0]" || is_built_in(name)) throw Refused("no chain of our own: " + line);
  if (name.empty() || name.size() > kLongestName) throw Refused("the kernel takes no such name: " + name);
  table[name].clear();
}

void remove_chain(Table& table, const std::string& name) {
  if (is_built_in(name) || !chain_of(table, name).empty()) throw Refused("not empty: " + name);
  if (is_target_of(table, name)) throw Refused("still used: " + name);
  table.erase(name);
}

void insert(Table& table, Chain& chain, Chain::iterator where, const std::string& text) {
  auto rule = std::make_shared<const Rule>(Reader(text).read());
  if (is_chain(rule->target)) chain_of(table, rule->target);
  chain.insert(where, std::move(rule));
}

void apply_line(Table& table, const std::string& line) {
  if (line.starts_with(":")) return declare(table, line);
  const auto space = line.find(' ', 3);
  const std::string verb = line.substr(0, 3);
  const std::string name = line.substr(std::min<std::size_t>(3, line.size()), space - 3);
  const std::string text = space == line.npos ? "" : line.substr(space + 1);
  if (verb == "-X ") return remove_chain(table, name);
  Chain& chain = chain_of(table, name);
  if (verb == "-F " && !is_built_in(name)) chain.clear();
  else if (verb == "-A ") insert(table, chain, chain.end(), text);
  else if (verb == "-I ") insert(table, chain, chain.begin(), text);
  else if (verb == "-D ") chain.erase(find(chain, text));
  else if (verb == "-C ") find(chain, text);
  else throw Refused("what is: " + line);
}

bool lies_in(const IpAddress& ip, const std::optional<Rule::Mask>& mask) {
  if (!mask) return true;
  if (mask->value.size() != (ip.is_v4() ? 4 : 16)) return false;
  for (std::size_t i = 0; i < mask->value.size(); ++i) {
    if ((ip.bytes()[i] & mask->bits[i]) != mask->value[i]) return false;
  }
  return true;
}

bool lies_in(Port port, const std::optional<PortRange>& range) {
  return !range || (range->low <= port && port <= range->high);
}

// A packet on its way.
class Walk {
 public:
  explicit Walk(const Packet& packet)
      : packet_(packet), passage_{packet.source, packet.destination, packet.mark, "", false, false, 0, {}} {}

  // From a built-in chain to the rule that ends the walk, or to nowhere.
  void through(const Table& table, const std::string& chain) {
    accepts_ = chain == "FORWARD";
    enter(table, chain);
  }
  const Passage& passage() const { return passage_; }

 private:
  bool matches(const Rule& rule) const {
    if (!rule.protocol.empty() && rule.protocol != packet_.protocol) return false;
    if (rule.mark && (passage_.mark & rule.mark->second) != rule.mark->first) return false;
    if (rule.original_destination && *rule.original_destination != packet_.destination.ip) return false;
    if (rule.original_port && *rule.original_port != packet_.destination.port) return false;
    return lies_in(passage_.source.ip, rule.source) && lies_in(passage_.destination.ip, rule.destination) &&
           lies_in(passage_.source.port, rule.source_ports) &&
           lies_in(passage_.destination.port, rule.destination_ports);
  }

  // True: the walk is over.
  bool enter(const Table& table, const std::string& name) {
    passage_.chains.insert(name);
    for (const auto& each : table.at(name)) {
      const Rule& rule = *each;
      if (++passage_.compared > kLongestWalk) throw Refused("goes round in " + name);
      if (!matches(rule)) continue;
      if (!is_chain(rule.target)) {
        if (act(rule)) return true;
        continue;
      }
      if (enter(table, rule.target)) return true;
      if (rule.goes) return false;  // back to whoever called this chain
    }
    return false;
  }

  // True: what the kernel does ends the walk.
  bool act(const Rule& rule) {
    if (rule.target == "CONNMARK") {
      const auto [value, bits] = parse_mark(rule.argument);
      passage_.mark = (passage_.mark & ~bits) ^ value;
      return false;
    }
    if (rule.target == "DNAT") {
      passage_.sent_on_by = rule.comment;
      if (const auto ip = IpAddress::parse(rule.argument)) passage_.destination.ip = *ip;
      else passage_.destination = Endpoint::require(rule.argument, "--to-destination");
    }
    if (rule.target == "SNAT") passage_.source.ip = require(IpAddress::parse(rule.argument), rule.text);
    if (rule.target == "MASQUERADE") passage_.masqueraded = true;
    if (rule.target == "ACCEPT" && accepts_) passage_.accepted = true;
    return true;
  }

  Packet packet_;  // as it came
  Passage passage_;
  bool accepts_ = false;  // in a chain where that means something
};

}  // namespace

bool is_built_in(const std::string& chain) {
  return std::any_of(kBuiltIn.begin(), kBuiltIn.end(), [&](const auto& table) {
    return std::find(table.second.begin(), table.second.end(), chain) != table.second.end();
  });
}

bool is_chain(const std::string& target) { return !kOwnTargets.contains(target); }

Firewall::Firewall() {
  for (const auto& [table, chains] : kBuiltIn) {
    for (const auto& chain : chains) tables_[table][chain];
  }
}

void Firewall::restore(const std::string& text) {
  std::istringstream lines(text);
  std::optional<std::string> name;
  Table changed;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("*") && !name && tables_.contains(line.substr(1))) {
      name = line.substr(1);
      changed = tables_.at(*name);
    } else if (name && line == "COMMIT") {
      tables_[*name] = std::move(changed);
      name.reset();
    } else if (name) {
      apply_line(changed, line);
    } else {
      throw Refused("outside a table: " + line);
    }
  }
  if (name) throw Refused("no COMMIT");
}

std::vector<std::string> Firewall::list(const std::string& table) const {
  std::vector<std::string> lines, rules;
  for (const auto& [name, chain] : tables_.at(table)) {
    if (is_built_in(name)) lines.insert(lines.begin(), "-P " + name + " ACCEPT");
    else lines.push_back("-N " + name);
    for (const auto& rule : chain) rules.push_back("-A " + name + " " + rule->text);
  }
  lines.insert(lines.end(), rules.begin(), rules.end());
  return lines;
}

Passage Firewall::forward(const Packet& packet) const {
  Walk walk(packet);
  walk.through(tables_.at("nat"), "PREROUTING");
  walk.through(tables_.at("filter"), "FORWARD");
  walk.through(tables_.at("nat"), "POSTROUTING");
  return walk.passage();
}

bool Firewall::operator==(const Firewall& other) const {
  return list("nat") == other.list("nat") && list("filter") == other.list("filter");
}

}  // namespace iptables_model
