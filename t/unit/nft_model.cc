#include "nft_model.h"

#include <algorithm>
#include <optional>
#include <sstream>

#include <fmt/core.h>

namespace nft_model {
namespace {

using traffic::Packet;
using traffic::Passage;

constexpr std::size_t kLongestComment = 128;  // NFTNL_UDATA_COMMENT_MAXLEN

Words words_of(const std::string& text) {
  std::istringstream stream(text);
  Words words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

// "a . b . c"
Words parts_of(const std::string& text) {
  Words words = words_of(text), parts;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i % 2 == 0) parts.push_back(words[i]);
    else if (words[i] != ".") throw Refused("no concatenation: " + text);
  }
  if (words.size() % 2 == 0) throw Refused("cut off: " + text);
  return parts;
}

// The text between `before` and the next `after` behind `from`, which moves there.
std::string between(const std::string& text, const std::string& before, const std::string& after, std::size_t& from) {
  const auto start = text.find(before, from);
  const auto end = start == text.npos ? text.npos : text.find(after, start + before.size());
  if (end == text.npos) throw Refused(fmt::format("no {}...{}: {}", before, after, text));
  from = end + after.size();
  return text.substr(start + before.size(), end - start - before.size());
}

void require_type(const Words& types, const std::string& text) {
  const Words parts = parts_of(text);
  bool right = parts.size() == types.size();
  for (std::size_t i = 0; right && i < parts.size(); ++i) {
    const auto ip = IpAddress::parse(parts[i]);
    if (types[i] == "inet_service") right = parse_port(parts[i]).has_value();
    else right = ip && types[i] == (ip->is_v4() ? "ipv4_addr" : "ipv6_addr");
  }
  if (!right) throw Refused("of another type: " + text);
}

// KEY timeout 60s comment "ID" : VALUE
void add_to(Map& map, const std::string& text) {
  std::size_t at = 0;
  const auto colon = text.find(" : ", text.find('"'));
  const auto timeout = text.find(" timeout 60s ");
  if (colon == text.npos || timeout == text.npos) throw Refused("no element: " + text);
  const std::string key = text.substr(0, timeout);
  Element element{text.substr(colon + 3), between(text, "comment \"", "\"", at)};
  require_type(map.key, key);
  require_type(map.value, element.value);
  if (element.comment.size() > kLongestComment) throw Refused("comment too long: " + text);
  // nft says nothing of one that is there already and leads to the same.
  const auto [there, fresh] = map.elements.insert({key, element});
  if (!fresh && there->second.value != element.value) throw Refused("leads elsewhere: " + text);
}

template <typename Add>
void for_each_element(const std::string& text, Add add) {
  if (text.find("elements = {") == text.npos) return;
  std::size_t at = 0;
  std::string list = between(text, "elements = { ", " }", at) + ", ";
  for (std::size_t start = 0, end; (end = list.find(", ", start)) != list.npos; start = end + 2)
    add(list.substr(start, end - start));
}

Map map_of(const std::string& text) {
  std::size_t at = 0;
  const std::string types = between(text, "{ type ", "; flags timeout;", at);
  const auto colon = types.find(" : ");
  if (colon == types.npos) throw Refused("no map: " + text);
  return {parts_of(types.substr(0, colon)), parts_of(types.substr(colon + 3)), {}};
}

Rule rule_of(const std::string& text) {
  const auto at = text.find(" comment \"");
  if (at == text.npos || !text.ends_with("\"")) throw Refused("no comment: " + text);
  return {words_of(text.substr(0, at)), text.substr(at + 10, text.size() - at - 11)};
}

template <typename Things>
auto& named(Things& things, const std::string& name) {
  const auto found = things.find(name);
  if (found == things.end()) throw Refused("there is no " + name);
  return found->second;
}

// A script, line by line.
class Script {
 public:
  Script(const std::string& text, bool& there, Table& table) : lines_(text), there_(there), table_(table) {}

  void run() {
    for (std::string line; std::getline(lines_, line);) command(line);
    check();
  }

 private:
  void command(const std::string& line) {
    const auto ours = line.find(" inet sallyport");
    if (ours == line.npos) throw Refused("not about our table: " + line);
    const std::string verb = line.substr(0, ours);
    const Words rest = words_of(line.substr(ours + 15));
    if (verb == "add table") there_ = true;
    else if (!there_ && verb != "table") throw Refused("no table: " + line);
    else if (verb == "delete table") table_ = {}, there_ = false;
    else if (verb == "table") there_ = true, block();
    else if (verb == "create map") create(rest.at(0), map_of(line));
    else if (verb == "add rule") add_rule(line, rest.at(0));
    else if (verb == "add element") add_element(line, rest.at(0));
    else if (verb == "delete element") delete_element(line, rest.at(0));
    else throw Refused("what is: " + line);
  }

  void create(const std::string& name, Map map) {
    if (!table_.maps.insert({name, std::move(map)}).second) throw Refused("is there: " + name);
  }
  void add_rule(const std::string& line, const std::string& chain) {
    named(table_.chains, chain).rules.push_back(rule_of(line.substr(line.find(" " + chain + " ") + chain.size() + 2)));
  }
  void add_element(const std::string& line, const std::string& name) {
    std::size_t at = 0;
    const std::string text = between(line, "{ ", " }", at);
    if (table_.sets.contains(name)) table_.sets[name].insert(text);
    else add_to(named(table_.maps, name), text);
  }
  void delete_element(const std::string& line, const std::string& name) {
    std::size_t at = 0;
    const std::string key = between(line, "{ ", " }", at);
    const bool gone = table_.sets.contains(name) ? table_.sets[name].erase(key) == 1
                                                 : named(table_.maps, name).elements.erase(key) == 1;
    if (!gone) throw Refused("is not there: " + line);
  }

  // What stands between "table inet sallyport {" and "}".
  void block() {
    for (std::string line; std::getline(lines_, line) && line != "}";) {
      const Words words = words_of(line);
      if (words.at(0) == "set") {
        if (line.find("{ typeof @nh,112,16;") == line.npos) throw Refused("another set: " + line);
        for_each_element(line, [&](const std::string& one) { table_.sets[words[1]].insert(one); });
        table_.sets[words[1]];
      } else if (words.at(0) == "map") {
        create(words.at(1), map_of(line));
        for_each_element(line, [&](const std::string& one) { add_to(table_.maps[words[1]], one); });
      } else if (words.at(0) == "chain") {
        chain(table_.chains[words.at(1)]);
      } else {
        throw Refused("what is: " + line);
      }
    }
  }
  void chain(Chain& made) {
    for (std::string line; std::getline(lines_, line) && line != "  }";) {
      const Words words = words_of(line);
      if (words.at(0) != "type") {
        made.rules.push_back(rule_of(line));
        continue;
      }
      // type nat hook prerouting priority -110; policy accept;
      if (words.at(1) != "nat" || words.size() != 8 || words[7] != "accept;") throw Refused("what is: " + line);
      made.hook = words[3];
      made.priority = std::stoi(words[5]);
    }
  }

  // What rules name is there.
  void check() {
    for (const auto& [name, chain] : table_.chains) {
      for (const auto& rule : chain.rules) {
        for (std::size_t i = 0; i < rule.words.size(); ++i) {
          const std::string& word = rule.words[i];
          if (word == "jump" || word == "goto") named(table_.chains, rule.words.at(i + 1));
          if (word.starts_with("@near_")) named(table_.sets, word.substr(1));
          if (i > 0 && rule.words[i - 1] == "map") named(table_.maps, word.substr(1));
        }
      }
    }
  }

  std::istringstream lines_;
  bool& there_;
  Table& table_;
};

// A packet on its way.
class Walk {
 public:
  Walk(const Table& table, const Packet& packet)
      : table_(table),
        packet_(packet),
        passage_{packet.source, packet.destination, packet.mark, "", false, false, 0, {}} {}

  // Through the chains of a hook, until one of them translates.
  void through(const std::string& hook) {
    std::vector<std::pair<int, std::string>> chains;
    for (const auto& [name, chain] : table_.chains) {
      if (chain.hook == hook) chains.push_back({chain.priority, name});
    }
    std::sort(chains.begin(), chains.end());
    for (const auto& [priority, name] : chains) {
      if (enter(name)) return;
    }
  }
  const Passage& passage() const { return passage_; }

 private:
  enum class After { next, over, back };

  bool enter(const std::string& name) {
    passage_.chains.insert(name);
    for (const auto& rule : table_.chains.at(name).rules) {
      if (++passage_.compared > 1000) throw Refused("goes round in " + name);
      words_ = &rule.words;
      at_ = 0;
      const After after = judge();
      if (after != After::next) return after == After::over;
    }
    return false;
  }

  bool takes(const std::string& text) {
    const Words wanted = words_of(text);
    if (words_->size() < at_ + wanted.size()) return false;
    if (!std::equal(wanted.begin(), wanted.end(), words_->begin() + static_cast<std::ptrdiff_t>(at_))) return false;
    at_ += wanted.size();
    return true;
  }
  std::string next() {
    if (at_ == words_->size()) throw Refused("cut off");
    return (*words_)[at_++];
  }
  std::uint32_t number() { return static_cast<std::uint32_t>(std::stoul(next(), nullptr, 16)); }
  bool is_in_range(Port port) {
    const std::string text = next();
    const auto dash = text.find('-');
    return std::stoi(text) <= port && port <= std::stoi(dash == text.npos ? text : text.substr(dash + 1));
  }

  // One rule: conditions, and then what is done.
  After judge() {
    while (at_ < words_->size()) {
      bool matches = true;
      if (takes("meta l4proto udp")) matches = packet_.protocol == "udp";
      else if (takes("meta nfproto ipv4")) matches = packet_.source.ip.is_v4();
      else if (takes("meta nfproto ipv6")) matches = !packet_.source.ip.is_v4();
      else if (takes("udp dport")) matches = is_in_range(passage_.destination.port) && packet_.protocol == "udp";
      else if (takes("ct original proto-dst")) matches = is_in_range(packet_.destination.port);
      else if (takes("ct mark and")) matches = is_marked();
      else if ((*words_)[at_].starts_with("@nh,")) matches = is_near();
      else return act();
      if (!matches) return After::next;
    }
    return After::next;
  }

  // MASK == VALUE
  bool is_marked() {
    const auto mask = number();
    if (next() != "==") throw Refused("no comparison");
    return (passage_.mark & mask) == number();
  }
  // @nh,OFFSET,16 @SET: two bytes of the packet's own header
  bool is_near() {
    const std::string what = next(), set = next().substr(1);
    std::uint8_t header[40] = {};
    const bool v4 = packet_.source.ip.is_v4();
    std::copy_n(passage_.source.ip.bytes(), v4 ? 4 : 16, header + (v4 ? 12 : 8));
    std::copy_n(passage_.destination.ip.bytes(), v4 ? 4 : 16, header + (v4 ? 16 : 24));
    const int offset = std::stoi(what.substr(4)) / 8;
    if (!what.ends_with(",16")) throw Refused("not two bytes: " + what);
    return table_.sets.at(set).contains(std::to_string(header[offset] * 256 + header[offset + 1]));
  }

  After act() {
    if (takes("ct mark set ct mark or")) passage_.mark |= number();
    else if (takes("ct mark set ct mark and")) passage_.mark &= number();
    else if (takes("masquerade")) return passage_.masqueraded = true, After::over;
    else if (takes("jump")) return enter(next()) ? After::over : After::next;
    else if (takes("goto")) return enter(next()) ? After::over : After::back;
    else if (takes("dnat ip to") || takes("dnat ip6 to")) return look_up(true);
    else if (takes("snat ip to") || takes("snat ip6 to")) return look_up(false);
    else throw Refused("what is " + (*words_)[at_]);
    return After::next;
  }

  // One part of a key; empty: the packet has no such thing.
  std::string part() {
    const auto of = [](bool v4, const IpAddress& ip) { return ip.is_v4() == v4 ? ip.text() : ""; };
    const bool udp = packet_.protocol == "udp";
    if (takes("ip saddr")) return of(true, passage_.source.ip);
    if (takes("ip daddr")) return of(true, passage_.destination.ip);
    if (takes("ip6 saddr")) return of(false, passage_.source.ip);
    if (takes("ip6 daddr")) return of(false, passage_.destination.ip);
    if (takes("ct original ip daddr")) return of(true, packet_.destination.ip);
    if (takes("ct original ip6 daddr")) return of(false, packet_.destination.ip);
    if (takes("udp sport")) return udp ? std::to_string(passage_.source.port) : "";
    if (takes("udp dport")) return udp ? std::to_string(passage_.destination.port) : "";
    if (takes("ct original proto-dst")) return std::to_string(packet_.destination.port);
    throw Refused("what is " + next());
  }

  // KEY map @NAME
  After look_up(bool destination) {
    std::string key = part();
    bool whole = !key.empty();
    while (takes(".")) {
      const std::string more = part();
      whole = whole && !more.empty();
      key += " . " + more;
    }
    if (!takes("map")) throw Refused("no map");
    const auto& elements = table_.maps.at(next().substr(1)).elements;
    const auto found = elements.find(key);
    if (!whole || found == elements.end()) return After::next;
    const Words value = parts_of(found->second.value);
    Endpoint& end = destination ? passage_.destination : passage_.source;
    end.ip = *IpAddress::parse(value.at(0));
    if (value.size() == 2) end.port = *parse_port(value[1]);
    if (destination) passage_.sent_on_by = found->second.comment;
    return After::over;
  }

  const Table& table_;
  Packet packet_;  // as it came
  Passage passage_;
  const Words* words_ = nullptr;  // of the rule at hand
  std::size_t at_ = 0;
};

}  // namespace

void Ruleset::run(const std::string& script) {
  bool there = there_;
  Table table = table_;
  Script(script, there, table).run();
  there_ = there;
  table_ = std::move(table);
}

traffic::Passage Ruleset::forward(const traffic::Packet& packet) const {
  Walk walk(table_, packet);
  walk.through("prerouting");
  walk.through("postrouting");
  return walk.passage();
}

}  // namespace nft_model
