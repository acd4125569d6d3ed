#include "firewall/text.h"

#include <algorithm>
#include <map>

#include <fmt/core.h>

#include "kernel/connmark.h"

namespace firewall::text {
namespace {

constexpr char kSessions[] = "SALLYPORT-DNAT";
constexpr char kBound[] = "SALLYPORT-BIND";
constexpr char kWayToBound[] = "SALLYPORT-SNAT -j SALLYPORT-BIND";
constexpr int kLevels = 4;  // levels of a tree, each for two bits
constexpr int kBuckets = 256;

// As `iptables -S` prints them, so that is_jump can compare.
const std::string& jump_rule(std::string_view chain) {
  static const std::string mark = fmt::format("{0:#x}/{0:#x}", connmark::kSuite);
  static const std::string prerouting = "PREROUTING -p udp -m comment --comment sallyport -j SALLYPORT";
  static const std::string postrouting =
      "POSTROUTING -m connmark --mark " + mark + " -m comment --comment sallyport -j SALLYPORT-SNAT";
  static const std::string forward = "FORWARD -m connmark --mark " + mark + " -m comment --comment sallyport -j ACCEPT";
  return chain == "PREROUTING" ? prerouting : chain == "POSTROUTING" ? postrouting : forward;
}

std::string host_net(const IpAddress& ip) { return fmt::format("{}/{}", ip.text(), ip.is_v4() ? 32 : 128); }

// The last byte of the client's address determines the bucket.
int bucket_of(const session::Session& session) { return session.client.ip.bytes()[session.client.ip.is_v4() ? 3 : 15]; }

std::string bucket(std::string_view root, int byte) { return fmt::format("{}-{:02x}", root, byte); }

// The name of the chain where the lowest 2 * `level` bits of `byte` are known.
std::string node(std::string_view root, int level, int byte) {
  if (level == 0) return std::string(root);
  if (level == kLevels) return bucket(root, byte);
  return fmt::format("{}-bits-{:0{}b}", root, byte & ((1 << 2 * level) - 1), 2 * level);
}

// The rule on the way to the bucket of `byte` that leads on from that level. The last of four needs no
// comparison. It uses -g, not -j: a packet that comes back from a bucket has no other branch to try.
std::string fork(Family family, std::string_view root, int level, int byte) {
  const int mask = 3 << 2 * level;
  const int value = byte & mask;
  std::string source;
  if (value != mask) {
    source = family == Family::v4 ? fmt::format(" -s 0.0.0.{}/0.0.0.{}", value, mask)
                                  : fmt::format(" -s ::{}/::{:x}", value == 0 ? "" : fmt::format("{:x}", value), mask);
  }
  return fmt::format("{}{} -g {}", node(root, level, byte), source, node(root, level + 1, byte));
}

// The chains of a tree except its buckets.
std::vector<Chain> tree(Family family, std::string_view root) {
  std::vector<Chain> chains;
  for (int level = 0; level < kLevels; ++level) {
    for (int low = 0; low < 1 << 2 * level; ++low) {
      Chain& chain = chains.emplace_back(Chain{node(root, level, low), {}});
      for (int next = 0; next < 4; ++next)
        chain.rules.push_back("-A " + fork(family, root, level, low | next << 2 * level));
    }
  }
  return chains;
}

// The rule for packets from a session's client to its server, with or without the flow's ports.
std::string forwarding_rule(const session::Session& session, bool pinned) {
  std::string ports;
  if (pinned) ports = fmt::format("--sport {} ", session.flow->client.port);
  if (!session.ports_kept()) ports += fmt::format("--dport {}", session.route.proxy_port);
  else if (pinned) ports += fmt::format("--dport {}", session.flow->server.port);
  else if (session.route.udp_port_range.low == session.route.udp_port_range.high)
    ports += fmt::format("--dport {}", session.route.udp_port_range.low);
  else ports += "--dport " + session.route.udp_port_range.text();
  const std::string target =
      session.ports_kept() ? session.host.ip.text() : Endpoint{session.host.ip, session.route.udp_port}.text();
  return fmt::format("{} -s {} -d {} -p udp -m udp {} -m comment --comment {} -j DNAT --to-destination {}",
                     bucket(kSessions, bucket_of(session)), host_net(session.client.ip), host_net(session.proxy.ip),
                     ports, session.id, target);
}

// The rule for the address of ours from which they go on. It applies after the DNAT: the destination
// is the server already, the source is still the client.
std::string binding_rule(const session::Session& session, bool pinned) {
  std::string ports;
  if (pinned) ports = fmt::format("--sport {} ", session.flow->client.port);
  std::string proxy = "--ctorigdst " + session.proxy.ip.text();
  if (!session.ports_kept()) {
    ports += fmt::format("--dport {}", session.route.udp_port);
    proxy += fmt::format(" --ctorigdstport {}", session.route.proxy_port);
  } else if (pinned) {
    ports += fmt::format("--dport {}", session.flow->server.port);
  } else if (session.route.udp_port_range.low == session.route.udp_port_range.high) {
    ports += fmt::format("--dport {}", session.route.udp_port_range.low);
  } else {
    ports += "--dport " + session.route.udp_port_range.text();
  }
  return fmt::format("{} -s {} -d {} -p udp -m udp {} -m conntrack {} -m comment --comment {} -j SNAT --to-source {}",
                     bucket(kBound, bucket_of(session)), host_net(session.client.ip), host_net(session.host.ip), ports,
                     proxy, session.id, session.route.bind_source_address->text());
}

Lines session_rules(const session::Session& session, bool pinned) {
  Lines rules{forwarding_rule(session, pinned)};
  if (session.route.bind_source_address) rules.push_back(binding_rule(session, pinned));
  return rules;
}

std::string with_verb(const char* verb, const Lines& rules) {
  std::string text;
  for (const auto& rule : rules) text += fmt::format("{} {}\n", verb, rule);
  return text;
}

// Pinned rules come before all open ones: the open rule of one session must not catch the flow that
// another of the same client is pinned to.
std::string add_rules(const session::Session& session) {
  return with_verb(session.pinned() ? "-I" : "-A", rules_of(session));
}

template <typename Line>
std::string for_each(Family family, const std::vector<session::Session>& sessions, Line line) {
  std::string text;
  for (const auto& session : sessions) {
    if (is_for(session, family)) text += line(session);
  }
  return text;
}

std::string add_jump(const Jumps& present, std::string_view chain) {
  return present.contains(chain) ? "" : fmt::format("-I {}\n", jump_rule(chain));
}

std::string delete_jump(const Jumps& present, std::string_view chain) {
  return present.contains(chain) ? fmt::format("-D {}\n", jump_rule(chain)) : "";
}

constexpr std::string_view kOurs = "SALLYPORT";

// The lines of `iptables -S` that are of our chains, by chain, in order.
std::map<std::string, Lines, std::less<>> our_chains(const Lines& lines) {
  std::map<std::string, Lines, std::less<>> chains;
  for (const auto& line : lines) {
    const bool rule = line.starts_with("-A SALLYPORT");
    if (!rule && !line.starts_with("-N SALLYPORT")) continue;
    auto& rules = chains[line.substr(3, line.find(' ', 3) - 3)];
    if (rule) rules.push_back(line);
  }
  return chains;
}

// True for a rule in a built-in chain that this release or another has put there.
bool is_ours(std::string_view line) {
  if (!line.starts_with("-A ") || line.substr(3).starts_with(kOurs)) return false;
  constexpr std::string_view kComment = " -m comment --comment sallyport -j ";
  const auto at = line.find(kComment);
  if (at == line.npos) return false;
  const auto target = line.substr(at + kComment.size());
  return target.starts_with(kOurs) || (target == "ACCEPT" && is_jump(line));
}

// Sorts `lines` into our jumps as they should be, and other rules of ours.
Lines old_rules(const Lines& lines, Jumps& jumps) {
  Lines old;
  for (const auto& line : lines) {
    if (!is_ours(line)) continue;
    const bool right = is_jump(line) && jumps.insert(line.substr(3, line.find(' ', 3) - 3)).second;
    if (!right) old.push_back(line);
  }
  return old;
}

template <typename Chosen>
std::vector<std::string> chains_among(const Lines& lines, Chosen chosen) {
  std::vector<std::string> names;
  for (const auto& [name, rules] : our_chains(lines)) {
    if (chosen(name)) names.push_back(name);
  }
  return names;
}

// Every chain that can be in table nat; chains that lead to others come first.
const std::vector<std::string>& all_chains() {
  static const auto all = [] {
    std::vector<std::string> names;
    for (const auto& chain : base_chains(Family::v4, true)) names.push_back(chain.name);
    names.insert(names.end(), buckets(true).begin(), buckets(true).end());
    return names;
  }();
  return all;
}

std::string for_each_name(const std::vector<std::string>& names, const char* form) {
  std::string text;
  for (const auto& name : names) text += fmt::format(fmt::runtime(form), name);
  return text;
}

// Chains may lead to each other, so all are emptied before the first is deleted.
std::string remove_old(const Lines& rules, const std::vector<std::string>& chains) {
  std::string text;
  for (const auto& rule : rules) text += "-D" + rule.substr(2) + "\n";
  return text + for_each_name(chains, "-F {}\n") + for_each_name(chains, "-X {}\n");
}

bool are_bound(Family family, const std::vector<session::Session>& sessions) {
  return std::any_of(sessions.begin(), sessions.end(), [&](const session::Session& each) {
    return is_for(each, family) && each.route.bind_source_address;
  });
}

}  // namespace

bool is_for(const session::Session& session, Family family) {
  return session.route.forwarding == config::Forwarding::iptables && family_of(session) == family;
}

Family family_of(const session::Session& session) { return session.client.ip.is_v4() ? Family::v4 : Family::v6; }

const Jumps& all_jumps() {
  static const Jumps all{"PREROUTING", "POSTROUTING", "FORWARD"};
  return all;
}

bool is_jump(std::string_view line) {
  if (!line.starts_with("-A ")) return false;
  line.remove_prefix(3);
  for (const auto& chain : all_jumps()) {
    if (line == jump_rule(chain)) return true;
  }
  return false;
}

std::vector<std::string> rules_of(const session::Session& session) { return session_rules(session, session.pinned()); }

std::vector<std::string> session_chains(const session::Session& session) {
  std::vector<std::string> chains;
  for (const char* root : {kSessions, kBound}) chains.push_back(bucket(root, bucket_of(session)));
  return chains;
}

bool is_session_rule(std::string_view line) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (const char* root : {kSessions, kBound}) {
    const std::string start = fmt::format("-A {}-", root);
    if (!line.starts_with(start)) continue;
    const auto name = line.substr(start.size());
    return name.find_first_not_of(kDigits) == 2 && name[2] == ' ';
  }
  return false;
}

const std::vector<Chain>& base_chains(Family family, bool bound) {
  static const auto make = [](Family of, bool with_bound) {
    std::vector<Chain> chains{
        {"SALLYPORT",
         {fmt::format("-A SALLYPORT -j CONNMARK --set-xmark {0:#x}/{0:#x}", connmark::kSuite),
          "-A SALLYPORT -j SALLYPORT-DNAT",
          fmt::format("-A SALLYPORT -j CONNMARK --set-xmark 0x0/{:#x}", connmark::kSuite)}},
        {"SALLYPORT-SNAT", {"-A SALLYPORT-SNAT -j MASQUERADE"}},
    };
    if (with_bound) chains[1].rules.insert(chains[1].rules.begin(), fmt::format("-A {}", kWayToBound));
    for (const char* root : {kSessions, kBound}) {
      if (root == kBound && !with_bound) continue;
      for (auto& chain : tree(of, root)) chains.push_back(std::move(chain));
    }
    return chains;
  };
  static const std::vector<Chain> all[] = {make(Family::v4, false), make(Family::v4, true), make(Family::v6, false),
                                           make(Family::v6, true)};
  return all[(family == Family::v4 ? 0 : 2) + (bound ? 1 : 0)];
}

const std::vector<std::string>& buckets(bool bound) {
  static const auto make = [](bool with_bound) {
    std::vector<std::string> names;
    for (const char* root : {kSessions, kBound}) {
      if (root == kBound && !with_bound) continue;
      for (int byte = 0; byte < kBuckets; ++byte) names.push_back(bucket(root, byte));
    }
    return names;
  };
  static const std::vector<std::string> all[] = {make(false), make(true)};
  return all[bound ? 1 : 0];
}

Standing standing(const Lines& nat, const Lines& filter) {
  static const std::set<std::string> known(all_chains().begin(), all_chains().end());
  Standing found;
  found.old_nat = old_rules(nat, found.jumps);
  found.old_filter = old_rules(filter, found.jumps);
  found.chains_nat = chains_among(nat, [](const std::string& name) { return !known.contains(name); });
  found.chains_filter = chains_among(filter, [](const std::string&) { return true; });
  found.chains_bound =
      chains_among(nat, [](const std::string& name) { return known.contains(name) && name.starts_with(kBound); });
  return found;
}

Base judge_base(Family family, const Lines& nat, const Lines& filter) {
  const auto in_nat = our_chains(nat);
  const auto found = standing(nat, {});
  const bool bound = !found.chains_bound.empty();
  bool whole = found.jumps.size() == 2 && found.old_nat.empty() && found.chains_nat.empty();
  for (const auto& name : buckets(bound)) whole = whole && in_nat.contains(name);
  for (const auto& chain : base_chains(family, bound)) {
    const auto there = in_nat.find(chain.name);
    whole = whole && there != in_nat.end() && there->second == chain.rules;
  }
  const bool any = !found.jumps.empty() || !found.old_nat.empty() || !in_nat.empty();
  const Base accepting = judge_accepting(filter);
  if (whole && accepting == Base::present) return Base::present;
  return any || accepting == Base::damaged ? Base::damaged : Base::absent;
}

Base judge_accepting(const Lines& filter) {
  const auto found = standing({}, filter);
  if (!found.old_filter.empty() || !found.chains_filter.empty()) return Base::damaged;
  return found.jumps.empty() ? Base::absent : Base::present;
}

// Old rules are removed last, so that no packet misses its way meanwhile.
std::string accepting(const Standing& found) {
  return "*filter\n" + add_jump(found.jumps, "FORWARD") + remove_old(found.old_filter, found.chains_filter) +
         "COMMIT\n";
}

std::string base(Family family, const std::vector<session::Session>& sessions, const Standing& found) {
  const bool bound = are_bound(family, sessions);
  std::string chains;
  std::string rules;
  for (const auto& chain : base_chains(family, bound)) {
    chains += fmt::format(":{} - [0:0]\n", chain.name);
    for (const auto& rule : chain.rules) rules += rule + "\n";
  }
  chains += for_each_name(buckets(bound), ":{} - [0:0]\n");
  return accepting(found) + "*nat\n" + chains + rules + for_each(family, sessions, add_rules) +
         add_jump(found.jumps, "PREROUTING") + add_jump(found.jumps, "POSTROUTING") +
         remove_old(found.old_nat, found.chains_nat) + (bound ? "" : remove_old({}, found.chains_bound)) + "COMMIT\n";
}

std::string purge(const Standing& found) {
  // Declaring a chain creates or empties it, so that -X succeeds either way.
  return "*filter\n" + delete_jump(found.jumps, "FORWARD") + remove_old(found.old_filter, found.chains_filter) +
         "COMMIT\n*nat\n" + for_each_name(all_chains(), ":{} - [0:0]\n") + delete_jump(found.jumps, "PREROUTING") +
         delete_jump(found.jumps, "POSTROUTING") + remove_old(found.old_nat, found.chains_nat) +
         for_each_name(all_chains(), "-X {}\n") + "COMMIT\n";
}

std::string open(Family family, const std::vector<session::Session>& sessions) {
  std::set<std::string> ways;
  for (const auto& session : sessions) {
    if (!is_for(session, family)) continue;
    const int byte = bucket_of(session);
    if (session.route.bind_source_address) ways.insert(kWayToBound);
    for (const char* root : {kSessions, kBound}) {
      if (root == kBound && !session.route.bind_source_address) continue;
      for (int level = 0; level < kLevels; ++level) ways.insert(fork(family, root, level, byte));
    }
  }
  std::string checks;
  for (const auto& way : ways) checks += "-C " + way + "\n";
  return fmt::format("*filter\n-C {}\nCOMMIT\n*nat\n-C {}\n-C {}\n{}{}COMMIT\n", jump_rule("FORWARD"),
                     jump_rule("PREROUTING"), jump_rule("POSTROUTING"), checks, for_each(family, sessions, add_rules));
}

std::string pin(Family family, const std::vector<session::Session>& sessions) {
  const auto narrow = [](const session::Session& session) -> std::string {
    if (!session.pinned()) return {};
    return with_verb("-D", session_rules(session, false)) + add_rules(session);
  };
  return "*nat\n" + for_each(family, sessions, narrow) + "COMMIT\n";
}

std::string close(Family family, const std::vector<session::Session>& sessions) {
  const auto remove = [](const session::Session& session) { return with_verb("-D", rules_of(session)); };
  return "*nat\n" + for_each(family, sessions, remove) + "COMMIT\n";
}

}  // namespace firewall::text
