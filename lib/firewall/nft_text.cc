#include "firewall/nft_text.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include <fmt/core.h>

#include "base/failure.h"
#include "kernel/connmark.h"
#include "kernel/nft_listing.h"

namespace firewall::nft_text {
namespace {

using firewall::text::Base;
using firewall::text::Family;

constexpr const char* kFamilies[] = {"4", "6"};
// Without it nft has no type for ct proto-dst.
constexpr char kUdp[] = "meta l4proto udp ";

const char* digit_of(const session::Session& session) { return session.client.ip.is_v4() ? "4" : "6"; }
std::string address_type(std::string_view digit) { return fmt::format("ipv{}_addr", digit); }
// "ip" or "ip6", as nft names payloads.
const char* protocol(std::string_view digit) { return digit == "4" ? "ip" : "ip6"; }

std::string mark_matches() { return fmt::format("ct mark and {0:#010x} == {0:#010x}", connmark::kSuite); }
std::string set_mark() { return fmt::format("ct mark set ct mark or {:#010x}", connmark::kSuite); }
std::string unset_mark() { return fmt::format("ct mark set ct mark and {:#010x}", ~connmark::kSuite); }

// nft refuses "33001-33001", and needs one port then.
std::string ports_text(const PortRange& range) {
  return range.low == range.high ? std::to_string(range.low) : fmt::format("{}-{}", range.low, range.high);
}
std::string kept_map(std::string_view digit, const PortRange& range) {
  return fmt::format("kept{}_{}_{}", digit, range.low, range.high);
}

struct Rule {
  std::string text;
  std::string comment;  // by which it is recognized
};

Rule dnat(std::string_view digit, std::string_view more_key, const std::string& map,
          const std::string& condition = "") {
  const char* p = protocol(digit);
  return {fmt::format("{}dnat {} to {} saddr . {} daddr{} map @{}", condition, p, p, p, more_key, map), map};
}

// Applies after the DNAT: the destination is the server, the original destination is the proxy.
Rule snat(std::string_view digit, std::string_view sport, std::string_view dport, const std::string& map,
          const std::string& condition = "") {
  const char* p = protocol(digit);
  return {fmt::format("{}snat {} to {} saddr . {} daddr . ct original {} daddr{}{} map @{}", condition, p, p, p, p,
                      sport, dport, map),
          map};
}

// A packet costs a look-up only if it passes this rule. The mark is tested last, since cheaper tests
// come first.
Rule gate(std::string_view digit, std::string_view what, const std::string& condition = "") {
  const char* last_bytes = digit == "4" ? "@nh,112,16" : "@nh,176,16";  // of the source address
  const std::string set = fmt::format("near_{}{}", what, digit);
  return {fmt::format("meta nfproto ipv{} {} @{} {}goto {}", digit, last_bytes, set, condition, what), set};
}

struct Chain {
  std::string name;
  std::string hook;  // empty: only jumped to
  std::vector<Rule> rules;
};

// The chains whose rules never change.
const std::vector<Chain>& base_chains() {
  static const auto chains = [] {
    const Rule mark{kUdp + set_mark(), "mark"};
    const Rule unmark{kUdp + unset_mark(), "unmark"};
    Chain pinned{"pinned", "", {mark}};
    Chain open{"open", "", {mark}};
    Chain bound{"bound", "", {}};
    Chain to_pinned{"to_pinned", "type nat hook prerouting priority -110; policy accept;", {}};
    Chain to_open{"to_open", "type nat hook prerouting priority -90; policy accept;", {}};
    Chain to_bound{"to_bound", "type nat hook postrouting priority 90; policy accept;", {}};
    for (const char* digit : kFamilies) {
      to_pinned.rules.push_back(gate(digit, "pinned"));
      to_open.rules.push_back(gate(digit, "open"));
      to_bound.rules.push_back(gate(digit, "bound", mark_matches() + " "));
      pinned.rules.push_back(dnat(digit, " . udp sport . udp dport", fmt::format("pinned{}", digit)));
      open.rules.push_back(dnat(digit, " . udp dport", fmt::format("open{}", digit)));
      bound.rules.push_back(
          snat(digit, " . udp sport", " . ct original proto-dst", fmt::format("from_pinned{}", digit)));
    }
    for (const char* digit : kFamilies)
      bound.rules.push_back(snat(digit, "", " . ct original proto-dst", fmt::format("from_open{}", digit), kUdp));
    pinned.rules.push_back(unmark);
    open.rules.push_back({"jump kept", "kept"});
    open.rules.push_back(unmark);
    bound.rules.push_back({"jump from_kept", "from_kept"});
    return std::vector<Chain>{
        pinned,
        open,
        bound,
        to_pinned,
        to_open,
        to_bound,
        {"to_masquerade",
         "type nat hook postrouting priority 110; policy accept;",
         {{mark_matches() + " masquerade", "masquerade"}}},
    };
  }();
  return chains;
}

// The sets of the pre-filter.
const std::vector<std::string>& near_sets() {
  static const auto sets = [] {
    std::vector<std::string> names;
    for (const char* digit : kFamilies) {
      for (const char* what : {"pinned", "open", "bound"}) names.push_back(fmt::format("near_{}{}", what, digit));
    }
    return names;
  }();
  return sets;
}

struct Map {
  std::string name;
  std::string type;
};

std::vector<Map> base_maps() {
  std::vector<Map> maps;
  for (const char* digit : kFamilies) {
    const std::string a = address_type(digit);
    const std::string p = " . inet_service";
    maps.push_back({fmt::format("pinned{}", digit), a + " . " + a + p + p + " : " + a + p});
    maps.push_back({fmt::format("open{}", digit), a + " . " + a + p + " : " + a + p});
    maps.push_back({fmt::format("from_pinned{}", digit), a + " . " + a + " . " + a + p + p + " : " + a});
    maps.push_back({fmt::format("from_open{}", digit), a + " . " + a + " . " + a + p + " : " + a});
  }
  return maps;
}

// The rules for one range of kept ports, in the chains kept and from_kept.
struct Range {
  std::vector<Map> maps;
  std::vector<Rule> kept;
  std::vector<Rule> from;
};

Range range(const PortRange& ports) {
  Range made;
  for (const char* digit : kFamilies) {
    const std::string a = address_type(digit);
    const std::string name = kept_map(digit, ports);
    made.maps.push_back({name, a + " . " + a + " : " + a});
    made.maps.push_back({"from_" + name, a + " . " + a + " . " + a + " : " + a});
    made.kept.push_back(dnat(digit, "", name, fmt::format("udp dport {} ", ports_text(ports))));
    made.from.push_back(
        snat(digit, "", "", "from_" + name, fmt::format("{}ct original proto-dst {} ", kUdp, ports_text(ports))));
  }
  return made;
}

std::string rule_text(const Rule& rule) { return fmt::format("{} comment \"{}\"", rule.text, rule.comment); }

std::string element_text(const Element& element) {
  return fmt::format("{} timeout {}s comment \"{}\" : {}", element.key, kTimeout.count(), element.owner, element.value);
}

std::string map_text(const Map& map, const Elements& elements) {
  std::string list;
  for (const auto& element : elements) {
    if (element.map == map.name) list += fmt::format("{}{}", list.empty() ? "" : ", ", element_text(element));
  }
  if (!list.empty()) list = fmt::format(" elements = {{ {} }};", list);
  return fmt::format("  map {} {{ type {}; flags timeout;{} }}\n", map.name, map.type, list);
}

// All sets have the same type, an integer of 16 bits.
std::string set_text(const std::string& name, const Elements& near) {
  std::string list;
  for (const auto& element : near) {
    if (element.map == name) list += (list.empty() ? "" : ", ") + element.key;
  }
  if (!list.empty()) list = fmt::format(" elements = {{ {} }};", list);
  return fmt::format("  set {} {{ typeof @nh,112,16;{} }}\n", name, list);
}

std::string chain_text(const Chain& chain) {
  std::string text = fmt::format("  chain {} {{\n", chain.name);
  if (!chain.hook.empty()) text += fmt::format("    {}\n", chain.hook);
  for (const auto& rule : chain.rules) text += fmt::format("    {}\n", rule_text(rule));
  return text + "  }\n";
}

std::vector<PortRange> ranges_of(const std::vector<session::Session>& sessions) {
  std::map<std::string, PortRange> ranges;
  for (const auto& session : sessions) {
    if (const auto text = range_of(session); !text.empty()) ranges.emplace(text, session.route.udp_port_range);
  }
  std::vector<PortRange> found;
  for (const auto& [text, one] : ranges) found.push_back(one);
  return found;
}

std::string joined(std::initializer_list<std::string> parts) {
  std::string text;
  for (const auto& part : parts) text += (text.empty() ? "" : " . ") + part;
  return text;
}

// A session's element, and that of its source address if it has one.
Elements own_elements(const session::Session& session) {
  const std::string digit = digit_of(session);
  const std::string client = session.client.ip.text();
  const std::string proxy = session.proxy.ip.text();
  const std::string server = session.host.ip.text();
  std::string map;
  std::string ports;  // of the key
  std::string value = server;
  if (session.pinned()) {
    map = "pinned" + digit;
    const Port to = session.ports_kept() ? session.flow->server.port : session.route.proxy_port;
    ports = joined({std::to_string(session.flow->client.port), std::to_string(to)});
    value = joined({server, std::to_string(session.flow->server.port)});
  } else if (session.ports_kept()) {
    map = kept_map(digit, session.route.udp_port_range);
  } else {
    map = "open" + digit;
    ports = std::to_string(session.route.proxy_port);
    value = joined({server, std::to_string(session.route.udp_port)});
  }
  const std::string more = ports.empty() ? "" : " . " + ports;
  Elements own{{map, joined({client, proxy}) + more, value, session.id}};
  if (session.route.bind_source_address)
    own.push_back(
        {"from_" + map, joined({client, server, proxy}) + more, session.route.bind_source_address->text(), session.id});
  return own;
}

std::string delete_text(const Element& element) {
  return fmt::format("delete element {} {} {{ {} }}\n", kTable, element.map, element.key);
}
std::string add_text(const Element& element) {
  const std::string what = element.value.empty() ? element.key : element_text(element);
  return fmt::format("add element {} {} {{ {} }}\n", kTable, element.map, what);
}

// The element of the pre-filter's set that leads to `element`.
Element near_element_for(const Element& element) {
  const auto client = IpAddress::parse(element.key.substr(0, element.key.find(' ')));
  if (!client) throw tool::Failure(tool::bad_input, fmt::format("read the client of {}", element.text()));
  const auto* last = client->bytes() + (client->is_v4() ? 2 : 14);
  const char* what = element.map.starts_with("from_") ? "bound" : element.map.starts_with("pinned") ? "pinned" : "open";
  return {fmt::format("near_{}{}", what, client->is_v4() ? "4" : "6"), std::to_string(last[0] * 256 + last[1]), {}, {}};
}

// --- reading nft's list ---

std::vector<std::string> comments_of(const std::vector<Rule>& rules) {
  std::vector<std::string> comments;
  for (const auto& rule : rules) comments.push_back(rule.comment);
  return comments;
}

// "kept4_33001_33100" becomes "33001-33100".
std::string range_named(const std::string& map) {
  std::string text = map.substr(std::min(map.size(), map.find('_') + 1));
  std::replace(text.begin(), text.end(), '_', '-');
  return text;
}

bool is_whole(const nft_listing::Listing& found, const std::set<std::string>& ranges) {
  for (const auto& map : base_maps()) {
    if (!found.maps.contains(map.name)) return false;
  }
  for (const auto& set : near_sets()) {
    if (!found.sets.contains(set)) return false;
  }
  std::size_t chains = base_chains().size() + 2;
  if (found.chains.size() != chains) return false;
  for (const auto& chain : base_chains()) {
    const auto there = found.chains.find(chain.name);
    if (there == found.chains.end() || there->second != comments_of(chain.rules)) return false;
  }
  static const std::set<std::string> hooks{"to_pinned nat prerouting -110", "to_open nat prerouting -90",
                                           "to_bound nat postrouting 90", "to_masquerade nat postrouting 110"};
  if (found.hooks != hooks) return false;
  // Each range has its maps, and one rule for each map.
  for (const auto& [name, prefix] : {std::pair<std::string, std::string>{"kept", ""}, {"from_kept", "from_"}}) {
    const auto there = found.chains.find(name);
    if (there == found.chains.end() || there->second.size() != 2 * ranges.size()) return false;
    const std::set<std::string> rules(there->second.begin(), there->second.end());
    for (std::string text : ranges) {
      std::replace(text.begin(), text.end(), '-', '_');
      for (const char* digit : kFamilies) {
        const std::string map = fmt::format("{}kept{}_{}", prefix, digit, text);
        if (!found.maps.contains(map) || !rules.contains(map)) return false;
      }
    }
  }
  return true;
}

}  // namespace

std::string Element::text() const { return fmt::format("{} {{ {} comment \"{}\" : {} }}", map, key, owner, value); }

bool is_for(const session::Session& session) { return session.route.forwarding == config::Forwarding::nftables; }

Elements elements_of(const std::vector<session::Session>& sessions) {
  std::vector<const session::Session*> served_here;
  for (const auto& session : sessions) {
    if (is_for(session)) served_here.push_back(&session);
  }
  std::sort(served_here.begin(), served_here.end(), [](const session::Session* a, const session::Session* b) {
    return std::pair(a->opened, a->id) < std::pair(b->opened, b->id);
  });
  Elements elements;
  std::set<std::pair<std::string, std::string>> taken;
  for (const session::Session* session : served_here) {
    const Elements own = own_elements(*session);
    // Only the session that has the element has its source address, too.
    if (!taken.insert({own[0].map, own[0].key}).second) continue;
    elements.insert(elements.end(), own.begin(), own.end());
  }
  std::sort(elements.begin(), elements.end());
  return elements;
}

std::string base(const std::vector<session::Session>& sessions) {
  Elements elements = elements_of(sessions);
  const Elements near_them = near(elements);
  std::map<std::string, Elements> by_map;
  for (auto& element : elements) by_map[element.map].push_back(std::move(element));
  std::string maps;
  for (const auto& set : near_sets()) maps += set_text(set, near_them);
  Chain kept{"kept", "", {}};
  Chain from{"from_kept", "", {}};
  for (const auto& map : base_maps()) maps += map_text(map, by_map[map.name]);
  for (const auto& ports : ranges_of(sessions)) {
    const Range made = range(ports);
    for (const auto& map : made.maps) maps += map_text(map, by_map[map.name]);
    kept.rules.insert(kept.rules.end(), made.kept.begin(), made.kept.end());
    from.rules.insert(from.rules.end(), made.from.begin(), made.from.end());
  }
  // Chains come before those that jump to them.
  std::string chains = chain_text(kept) + chain_text(from);
  for (const auto& chain : base_chains()) chains += chain_text(chain);
  return purge() + fmt::format("table {} {{\n", kTable) + maps + chains + "}\n";
}

// The table is added first, so that it exists when it is deleted.
std::string purge() { return fmt::format("add table {0}\ndelete table {0}\n", kTable); }

Elements near(const Elements& elements) {
  std::set<Element> all;
  for (const auto& element : elements) all.insert(near_element_for(element));
  return {all.begin(), all.end()};
}

std::string change(const Elements& go, const Elements& come) { return replace(go, near(come)) + replace({}, come); }

std::string replace(const Elements& go, const Elements& come) {
  std::string text;
  for (const auto& element : go) text += delete_text(element);
  for (const auto& element : come) text += add_text(element);
  return text;
}

std::string renew(const Elements& elements) { return change(elements, elements); }

std::string add_range(const session::Session& session) {
  const Range made = range(session.route.udp_port_range);
  std::string text;
  for (const auto& map : made.maps)
    text += fmt::format("create map {} {} {{ type {}; flags timeout; }}\n", kTable, map.name, map.type);
  for (const auto& rule : made.kept) text += fmt::format("add rule {} kept {}\n", kTable, rule_text(rule));
  for (const auto& rule : made.from) text += fmt::format("add rule {} from_kept {}\n", kTable, rule_text(rule));
  return text;
}

Listed parse(std::string_view json) {
  Listed listed;
  if (json.empty()) return listed;
  const auto listing = nft_listing::parse(json);
  for (const auto& map : listing.maps) {
    if (map.starts_with("kept")) listed.ranges.insert(range_named(map));
  }
  for (const auto& one : listing.elements) listed.elements.push_back({one.map, one.key, one.value, one.comment});
  for (const auto& one : listing.members) listed.near.push_back({one.set, one.key, {}, {}});
  listed.base = is_whole(listing, listed.ranges) ? Base::present : Base::damaged;
  std::sort(listed.elements.begin(), listed.elements.end());
  std::sort(listed.near.begin(), listed.near.end());
  return listed;
}

std::string range_of(const session::Session& session) {
  if (!is_for(session) || !session.ports_kept()) return {};
  return fmt::format("{}-{}", session.route.udp_port_range.low, session.route.udp_port_range.high);
}

}  // namespace firewall::nft_text
