#include "packet_filter.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/cut.h"
#include "base/failure.h"
#include "kernel/connmark.h"

namespace packet_filter {
namespace {

using Json = nlohmann::json;
using Verdict = Rule::Verdict;
using Words = std::vector<std::string>;

Answer both(Answer one, Answer other) { return std::min(one, other); }
Answer answer(bool yes) { return yes ? Answer::yes : Answer::no; }
Answer inverted(Answer given, bool invert) {
  if (!invert || given == Answer::maybe) return given;
  return given == Answer::yes ? Answer::no : Answer::yes;
}

std::optional<unsigned long> number(std::string_view text) {
  const int base = text.starts_with("0x") ? 16 : 10;
  if (base == 16) text.remove_prefix(2);
  unsigned long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

template <typename Words>
bool contains(const Words& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

Answer same_protocol(const std::string& name, const Packet& packet) {
  if (name == "all") return Answer::yes;
  if (name == "17") return answer(packet.protocol == "udp");
  if (name == "6") return answer(packet.protocol == "tcp");
  return answer(name == packet.protocol);
}

// `list` is "33001", "33001:33100" or "22,33001:33100".
Answer in_ports(const std::string& list, Port port) {
  for (const auto part : cut::fields(list, ',')) {
    const auto ends = cut::fields(part, ':');
    const auto low = number(ends[0].empty() && ends.size() > 1 ? "0" : ends[0]);
    const auto high = ends.size() > 1 ? number(ends[1].empty() ? "65535" : ends[1]) : low;
    if (!low || !high) return Answer::maybe;
    if (*low <= port && port <= *high) return Answer::yes;
  }
  return Answer::no;
}

// One bit of the mark is ours.
Answer has_mark(unsigned long value, unsigned long mask, bool marked) {
  if (mask != connmark::kSuite) return Answer::maybe;
  if (value != 0 && value != mask) return Answer::no;
  return answer(marked == (value != 0));
}

// --- iptables-save ---

// The words of the line; quoted text is one word.
Words words_of(const std::string& line) {
  Words words;
  std::string word;
  bool quoted = false;
  bool any = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '\\' && quoted && i + 1 < line.size()) {
      word += line[++i];
    } else if (c == '"') {
      quoted = !quoted;
      any = true;
    } else if (c == ' ' && !quoted) {
      if (any) words.push_back(std::exchange(word, {}));
      any = false;
    } else {
      word += c;
      any = true;
    }
  }
  if (any) words.push_back(word);
  return words;
}

Answer option_matches(const std::string& option, const Words& values, const std::string& module, const Packet& packet) {
  const std::string value = values.empty() ? "" : values[0];
  if (option == "-m" || option == "--comment") return Answer::yes;
  if (option == "-p") return same_protocol(value, packet);
  if (option == "--dport" || option == "--dports") return in_ports(value, packet.port);
  if (option == "--ctstate" || option == "--state") {
    const auto states = cut::fields(value, ',');
    return answer(contains(states, "NEW") || (packet.translated && contains(states, "DNAT")));
  }
  if (option == "--ctstatus")
    return contains(cut::fields(value, ','), "DNAT") ? answer(packet.translated) : Answer::maybe;
  if (option == "--mark" && module == "connmark") {
    const auto parts = cut::fields(value, '/');
    const auto mark = number(parts[0]);
    const auto mask = parts.size() > 1 ? number(parts[1]) : 0xffffffff;
    return mark && mask ? has_mark(*mark, *mask, packet.translated) : Answer::maybe;
  }
  if (option == "-i" || option == "-o") return value == "lo" ? Answer::no : Answer::maybe;
  if (option == "-f" || option == "--rt-type") return Answer::no;  // fragments, and routes that the sender chose
  if (option == "--tcp-flags" && values == Words{"FIN,SYN,RST,ACK", "SYN"}) return Answer::yes;
  return Answer::maybe;
}

void set_target(Rule& rule, const std::string& target, bool go, bool no_track) {
  static const std::set<std::string> kHarmless{
      "LOG", "NFLOG",    "MARK", "CONNMARK", "TCPMSS",  "TTL",         "DSCP", "TOS", "CLASSIFY", "TRACE",
      "SET", "CHECKSUM", "ULOG", "AUDIT",    "SECMARK", "CONNSECMARK", "CT",   "HL",  "ECN"};
  if (no_track || target == "DROP" || target == "REJECT") rule.verdict = Verdict::drop;
  else if (target == "ACCEPT") rule.verdict = Verdict::accept;
  else if (target == "RETURN") rule.verdict = Verdict::leave;
  else if (target == "NFQUEUE" || target == "QUEUE") rule.verdict = Verdict::unknown;
  else if (!kHarmless.contains(target)) rule.verdict = go ? Verdict::go : Verdict::jump;
  rule.target = target;
}

Rule read_rule(const Words& words, const std::string& line, const Packet& packet) {
  Rule rule;
  rule.text = line;
  std::string module;
  bool invert = false;
  for (std::size_t i = 2; i < words.size(); ++i) {
    const std::string& option = words[i];
    if (option == "!") {
      invert = true;
      continue;
    }
    Words values;
    if (option == "--comment" && i + 1 < words.size()) values.push_back(words[++i]);  // it may begin with a dash
    while (i + 1 < words.size() && words[i + 1] != "!" && !words[i + 1].starts_with('-')) values.push_back(words[++i]);
    if (option == "-j" || option == "-g") {
      // The rest belongs to the target. An untracked packet is not translated.
      const std::string target = values.empty() ? "" : values[0];
      const bool no_track = target == "NOTRACK" || (target == "CT" && contains(words, "--notrack"));
      set_target(rule, target, option == "-g", no_track);
      break;
    }
    if (option == "-m") module = values.empty() ? "" : values[0];
    rule.matches = both(rule.matches, inverted(option_matches(option, values, module, packet), invert));
    invert = false;
  }
  return rule;
}

std::string hook_of(const std::string& builtin) {
  if (builtin == "FORWARD") return "forward";
  if (builtin == "PREROUTING") return "prerouting";
  if (builtin == "INPUT") return "input";
  return "";
}

// --- nft ---

Answer is_among(const Json& right, const auto& same) {
  if (right.is_array() || (right.is_object() && right.contains("set"))) {
    Answer found = Answer::no;
    for (const auto& one : right.is_array() ? right : right["set"]) found = std::max(found, is_among(one, same));
    return found;
  }
  return same(right);
}

Answer is_word(const Json& right, std::string_view word) {
  return is_among(right, [&](const Json& one) {
    return one.is_string() && !one.get<std::string>().starts_with('@') ? answer(one == word) : Answer::maybe;
  });
}

Answer is_port(const Json& right, Port port) {
  return is_among(right, [&](const Json& one) {
    if (one.is_number_unsigned()) return answer(one == port);
    if (!one.is_object() || !one.contains("range")) return Answer::maybe;
    const Json& ends = one["range"];
    if (!ends.is_array() || ends.size() != 2 || !ends[0].is_number() || !ends[1].is_number()) return Answer::maybe;
    return answer(ends[0] <= port && port <= ends[1]);
  });
}

Answer payload_matches(const Json& payload, const Json& right, const Packet& packet) {
  const std::string protocol = payload.value("protocol", "");
  const std::string field = payload.value("field", "");
  if (protocol == "ip" || protocol == "ip6") {
    if ((protocol == "ip") != packet.v4) return Answer::no;
    return field == "protocol" || field == "nexthdr" ? is_word(right, packet.protocol) : Answer::maybe;
  }
  if (protocol != "th" && (protocol == "tcp" || protocol == "udp" || protocol == "icmp" || protocol == "icmpv6") &&
      protocol != packet.protocol)
    return Answer::no;
  return field == "dport" && protocol != "ether" ? is_port(right, packet.port) : Answer::maybe;
}

Answer meta_matches(const std::string& key, const Json& right, const Packet& packet) {
  if (key == "l4proto") return is_word(right, packet.protocol);
  if (key == "nfproto") return is_word(right, packet.v4 ? "ipv4" : "ipv6");
  if (key == "protocol") return is_word(right, packet.v4 ? "ip" : "ip6");
  if (key == "iif" || key == "iifname" || key == "oif" || key == "oifname")
    return right == "lo" ? Answer::no : Answer::maybe;
  return Answer::maybe;
}

Answer ct_matches(const std::string& key, const Json& right, const Packet& packet) {
  if (key == "state") return is_word(right, "new");
  if (key == "status" && is_word(right, "dnat") == Answer::yes) return answer(packet.translated);
  if (key == "mark" && right.is_number_unsigned()) return has_mark(right, 0xffffffff, packet.translated);
  return Answer::maybe;
}

Answer left_matches(const Json& left, const Json& right, const Packet& packet) {
  if (left.contains("payload")) return payload_matches(left["payload"], right, packet);
  if (left.contains("meta")) return meta_matches(left["meta"].value("key", ""), right, packet);
  if (left.contains("ct")) return ct_matches(left["ct"].value("key", ""), right, packet);
  if (!left.contains("&") || left["&"].size() != 2 || !left["&"][0].contains("ct")) return Answer::maybe;
  const std::string key = left["&"][0]["ct"].value("key", "");
  const Json& mask = left["&"][1];
  if (key == "mark" && mask.is_number_unsigned() && right.is_number_unsigned())
    return has_mark(right, mask, packet.translated);
  return key == "status" && mask == right ? ct_matches(key, right, packet) : Answer::maybe;
}

// True for statements that neither match nor decide.
bool is_harmless(const std::string& name) {
  static const std::set<std::string> kNames{"counter",   "log",        "comment",        "mangle", "set",   "map",
                                            "ct helper", "ct timeout", "ct expectation", "flow",   "tproxy"};
  return kNames.contains(name);
}

std::optional<Verdict> verdict_of(const std::string& name) {
  if (name == "accept") return Verdict::accept;
  if (name == "drop" || name == "reject" || name == "notrack") return Verdict::drop;
  if (name == "return") return Verdict::leave;
  if (name == "jump") return Verdict::jump;
  if (name == "goto") return Verdict::go;
  if (name == "queue") return Verdict::unknown;
  return std::nullopt;
}

// ct state vmap { established : accept, invalid : drop } and the like become one rule for each
// element.
std::vector<Rule> read_map(const Json& map, const Rule& before, const Packet& packet) {
  std::vector<Rule> rules;
  Rule rule = before;
  if (!map.contains("data") || !map["data"].is_object() || !map["data"].contains("set")) {
    rule.matches = both(before.matches, Answer::maybe);
    rule.verdict = Verdict::unknown;
    return {rule};
  }
  for (const auto& element : map["data"]["set"]) {
    if (!element.is_array() || element.size() != 2 || !element[1].is_object() || element[1].empty()) continue;
    const std::string name = element[1].items().begin().key();
    rule.matches = both(before.matches, left_matches(map.at("key"), element[0], packet));
    rule.verdict = verdict_of(name).value_or(Verdict::unknown);
    rule.target.clear();
    if (element[1][name].is_object()) rule.target = element[1][name].value("target", "");
    rules.push_back(rule);
  }
  return rules;
}

std::vector<Rule> read_nft_rule(const Json& given, const Packet& packet) {
  Rule rule;
  rule.text = fmt::format("rule with handle {}", given.value("handle", std::uint64_t{0}));
  for (const auto& expression : given.value("expr", Json::array())) {
    if (!expression.is_object() || expression.empty()) continue;
    const std::string name = expression.items().begin().key();
    const Json& value = expression[name];
    if (name == "match") {
      const Answer matched = left_matches(value.value("left", Json::object()), value.value("right", Json()), packet);
      rule.matches = both(rule.matches, inverted(matched, value.value("op", "") == "!="));
    } else if (name == "vmap") {
      return read_map(value, rule, packet);
    } else if (const auto verdict = verdict_of(name)) {
      rule.verdict = *verdict;
      if (value.is_object()) rule.target = value.value("target", "");
    } else if (!is_harmless(name)) {
      rule.matches = both(rule.matches, Answer::maybe);
    }
  }
  return {rule};
}

bool is_for(const std::string& family, const Packet& packet) {
  return family == "inet" || family == "netdev" || family == (packet.v4 ? "ip" : "ip6");
}

bool is_of_iptables(const std::string& family, const std::string& table) {
  static const std::set<std::string> kTables{"filter", "nat", "mangle", "raw", "security"};
  return (family == "ip" || family == "ip6") && kTables.contains(table);
}

// The gate drops no first packet of a connection to the proxy: gate.h.
bool is_gate(const std::string& table) { return table == "sallyport_gate"; }

// --- the walk ---

struct Outcome {
  bool accept = false;
  bool drop = false;
  bool fall = false;  // continues in the chain that jumped here
  std::string by;     // the rule that surely drops the packet; else the first that may

  void drops(const std::string& what, bool surely) {
    if (by.empty() || surely) by = what;
    drop = true;
  }
};

class Walk {
 public:
  explicit Walk(const std::vector<Chain>& chains) : chains_(chains) {}

  Fate through(const Chain& base) {
    Outcome outcome = walk(base, 0);
    if (outcome.fall && base.drops)
      outcome.drops(fmt::format("chain {} {} (its policy is drop)", base.table, base.name), true);
    else if (outcome.fall) outcome.accept = true;
    if (!outcome.drop) return {};
    return {outcome.accept ? Answer::maybe : Answer::yes, outcome.by};
  }

 private:
  const Chain* find(const std::string& table, const std::string& name) const {
    const auto found = std::find_if(chains_.begin(), chains_.end(),
                                    [&](const Chain& chain) { return chain.table == table && chain.name == name; });
    return found == chains_.end() ? nullptr : &*found;
  }

  // Each chain is walked once, however many rules lead there. The kernel knows no circles.
  Outcome walk(const Chain& chain, int depth) {
    const auto [known, fresh] = walked_.try_emplace(&chain, Outcome{.fall = true, .by = {}});
    if (fresh) known->second = walk_rules(chain, depth);
    return known->second;
  }

  // The kernel allows for 16 jumps.
  Outcome walk_rules(const Chain& chain, int depth) {
    Outcome all;
    for (const auto& rule : chain.rules) {
      if (rule.matches == Answer::no || rule.verdict == Verdict::none) continue;
      const bool surely = rule.matches == Answer::yes;
      bool goes_on = true;
      switch (rule.verdict) {
        case Verdict::none: break;
        case Verdict::accept:
          all.accept = true;
          goes_on = false;
          break;
        case Verdict::drop:
          all.drops(text_of(chain, rule), surely);
          goes_on = false;
          break;
        case Verdict::unknown:
          all.accept = true;
          all.drops(text_of(chain, rule), false);
          goes_on = false;
          break;
        case Verdict::leave:
          all.fall = true;
          goes_on = false;
          break;
        case Verdict::jump:
        case Verdict::go: {
          const Chain* const target = depth < 16 ? find(chain.table, rule.target) : nullptr;
          if (!target) break;
          const Outcome inner = walk(*target, depth + 1);
          all.accept = all.accept || inner.accept;
          if (inner.drop) all.drops(inner.by, surely && !inner.accept && !inner.fall);
          goes_on = inner.fall && rule.verdict == Verdict::jump;
          if (inner.fall && rule.verdict == Verdict::go) all.fall = true;
          break;
        }
      }
      if (surely && !goes_on) return all;
    }
    all.fall = true;
    return all;
  }

  static std::string text_of(const Chain& chain, const Rule& rule) {
    return rule.text.starts_with("-A ") ? fmt::format("table {}: {}", chain.table, rule.text)
                                        : fmt::format("chain {} {}, {}", chain.table, chain.name, rule.text);
  }

  const std::vector<Chain>& chains_;
  std::map<const Chain*, Outcome> walked_;
};

}  // namespace

std::vector<Chain> read_iptables(std::string_view text, const Packet& packet) {
  std::vector<Chain> chains;
  std::string table;
  for (const auto each : cut::lines(text)) {
    const std::string line(each);
    if (line.starts_with('*')) table = line.substr(1);
    if (table == "nat") continue;
    const auto words = words_of(line);
    if (line.starts_with(':') && words.size() >= 2) {
      const std::string name = words[0].substr(1);
      chains.push_back({table, name, words[1] == "-" ? "" : hook_of(name), words[1] == "DROP", {}});
    } else if (words.size() > 2 && words[0] == "-A") {
      for (auto& chain : chains) {
        if (chain.table == table && chain.name == words[1]) chain.rules.push_back(read_rule(words, line, packet));
      }
    }
  }
  return chains;
}

std::vector<Chain> read_nft(std::string_view text, const Packet& packet, bool but_iptables) try {
  std::vector<Chain> chains;
  const auto wanted = [&](const Json& item) {
    const std::string family = item.value("family", "");
    const std::string table = item.value("table", "");
    return is_for(family, packet) && !is_gate(table) && !(but_iptables && is_of_iptables(family, table));
  };
  const auto table_of = [](const Json& item) { return item.value("family", "") + " " + item.value("table", ""); };
  const Json ruleset = Json::parse(text);
  const Json& all = ruleset.at("nftables");
  for (const auto& item : all) {
    if (!item.contains("chain") || !wanted(item["chain"])) continue;
    const Json& chain = item["chain"];
    // Chains of type nat drop nothing.
    const std::string hook = chain.value("type", "") == "nat" ? "" : chain.value("hook", "");
    chains.push_back({table_of(chain),
                      chain.value("name", ""),
                      hook == "ingress" ? "prerouting" : hook,
                      chain.value("policy", "") == "drop",
                      {}});
  }
  for (const auto& item : all) {
    if (!item.contains("rule") || !wanted(item["rule"])) continue;
    const Json& rule = item["rule"];
    for (auto& chain : chains) {
      if (chain.table != table_of(rule) || chain.name != rule.value("chain", "")) continue;
      for (auto& one : read_nft_rule(rule, packet)) chain.rules.push_back(std::move(one));
    }
  }
  return chains;
} catch (const Json::exception& wrong) {
  throw tool::Failure(tool::bad_input, fmt::format("read the ruleset of nft: {}", wrong.what()));
}

namespace {

std::string manager_of(const std::vector<Chain>& chains, const std::string& table) {
  if (table == "inet firewalld") return "firewalld";
  const bool ufw = std::any_of(chains.begin(), chains.end(), [&](const Chain& chain) {
    return chain.table == table && chain.name.starts_with("ufw") && !chain.rules.empty();
  });
  return ufw ? "ufw" : "";
}

}  // namespace

Fate at_hook(const std::vector<Chain>& chains, std::string_view hook) {
  Fate worst;
  for (const auto& chain : chains) {
    if (chain.hook != hook) continue;
    Fate fate = Walk(chains).through(chain);
    fate.table = chain.table;
    fate.chain = chain.name;
    fate.manager = manager_of(chains, chain.table);
    if (fate.dropped > worst.dropped) worst = std::move(fate);
  }
  return worst;
}

}  // namespace packet_filter
