#include "firewall/text.h"

#include <algorithm>
#include <map>

#include <fmt/core.h>

#include "kernel/connmark.h"

namespace firewall::text {
namespace {

constexpr char kWay[] = "SALLYPORT -j SALLYPORT-SESSIONS";
constexpr char kSessions[] = "SALLYPORT-SESSIONS";
constexpr char kBound[] = "SALLYPORT-SNAT";
constexpr char kMasquerade[] = "SALLYPORT-SNAT -j MASQUERADE";

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
  return fmt::format("{} -s {} -d {} -p udp -m udp {} -m comment --comment {} -j DNAT --to-destination {}", kSessions,
                     host_net(session.client.ip), host_net(session.proxy.ip), ports, session.id, target);
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
                     kBound, host_net(session.client.ip), host_net(session.host.ip), ports, proxy, session.id,
                     session.route.bind_source_address->text());
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

std::vector<std::string> current_chains() {
  std::vector<std::string> names;
  for (const auto& chain : base_chains()) names.push_back(chain.name);
  return names;
}

// With rules of sessions before its last rule, or in a chain that has no other.
bool is_as(const Chain& chain, Lines rules) {
  if (!chain.rules.empty() && (rules.empty() || rules.back() != chain.rules.back())) return false;
  std::erase_if(rules, is_session_rule);
  return rules == chain.rules;
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

bool is_session_rule(std::string_view line) {
  if (line.starts_with(fmt::format("-A {} ", kSessions))) return true;
  return line.starts_with(fmt::format("-A {} ", kBound)) && line.find(" -j SNAT ") != line.npos;
}

const std::vector<Chain>& base_chains() {
  static const std::vector<Chain> all{
      {"SALLYPORT",
       {fmt::format("-A SALLYPORT -j CONNMARK --set-xmark {0:#x}/{0:#x}", connmark::kSuite), fmt::format("-A {}", kWay),
        fmt::format("-A SALLYPORT -j CONNMARK --set-xmark 0x0/{:#x}", connmark::kSuite)}},
      {kSessions, {}},
      {kBound, {fmt::format("-A {}", kMasquerade)}},
  };
  return all;
}

bool Standing::outdated() const {
  return !old_nat.empty() || !old_filter.empty() || !chains_nat.empty() || !chains_filter.empty();
}

Standing standing(const Lines& nat, const Lines& filter) {
  const auto known = current_chains();
  Standing found;
  found.old_nat = old_rules(nat, found.jumps);
  found.old_filter = old_rules(filter, found.jumps);
  found.chains_nat = chains_among(
      nat, [&](const std::string& name) { return std::find(known.begin(), known.end(), name) == known.end(); });
  found.chains_filter = chains_among(filter, [](const std::string&) { return true; });
  return found;
}

Base judge_base(const Lines& nat, const Lines& filter) {
  const auto in_nat = our_chains(nat);
  const auto found = standing(nat, {});
  bool whole = found.jumps.size() == 2 && !found.outdated();
  for (const auto& chain : base_chains()) {
    const auto there = in_nat.find(chain.name);
    whole = whole && there != in_nat.end() && is_as(chain, there->second);
  }
  const bool any = !found.jumps.empty() || !found.old_nat.empty() || !in_nat.empty();
  const Base accepting = judge_accepting(filter);
  if (whole && accepting == Base::present) return Base::present;
  return any || accepting == Base::damaged ? Base::damaged : Base::absent;
}

Base judge_accepting(const Lines& filter) {
  const auto found = standing({}, filter);
  if (found.outdated()) return Base::damaged;
  return found.jumps.empty() ? Base::absent : Base::present;
}

// Old rules are removed last, so that no packet misses its way meanwhile.
std::string accepting(const Standing& found) {
  return "*filter\n" + add_jump(found.jumps, "FORWARD") + remove_old(found.old_filter, found.chains_filter) +
         "COMMIT\n";
}

std::string base(Family family, const std::vector<session::Session>& sessions, const Standing& found) {
  std::string rules = for_each(family, sessions, add_rules);
  for (const auto& chain : base_chains()) {
    for (const auto& rule : chain.rules) rules += rule + "\n";
  }
  return accepting(found) + "*nat\n" + for_each_name(current_chains(), ":{} - [0:0]\n") + rules +
         add_jump(found.jumps, "PREROUTING") + add_jump(found.jumps, "POSTROUTING") +
         remove_old(found.old_nat, found.chains_nat) + "COMMIT\n";
}

std::string purge(const Standing& found) {
  // Declaring a chain creates or empties it, so that -X succeeds either way.
  const auto chains = current_chains();
  return "*filter\n" + delete_jump(found.jumps, "FORWARD") + remove_old(found.old_filter, found.chains_filter) +
         "COMMIT\n*nat\n" + for_each_name(chains, ":{} - [0:0]\n") + delete_jump(found.jumps, "PREROUTING") +
         delete_jump(found.jumps, "POSTROUTING") + remove_old(found.old_nat, found.chains_nat) +
         for_each_name(chains, "-X {}\n") + "COMMIT\n";
}

std::string open(Family family, const std::vector<session::Session>& sessions) {
  // Masquerading stays last.
  const bool bound = std::any_of(sessions.begin(), sessions.end(), [&](const session::Session& each) {
    return is_for(each, family) && each.route.bind_source_address;
  });
  const auto masquerade = [&](const char* verb) { return bound ? fmt::format("{} {}\n", verb, kMasquerade) : ""; };
  return fmt::format("*filter\n-C {}\nCOMMIT\n*nat\n-C {}\n-C {}\n-C {}\n{}{}{}COMMIT\n", jump_rule("FORWARD"),
                     jump_rule("PREROUTING"), jump_rule("POSTROUTING"), kWay, masquerade("-D"),
                     for_each(family, sessions, add_rules), masquerade("-A"));
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
