#include "firewall_text.h"

#include <algorithm>
#include <map>

#include <fmt/core.h>

namespace firewall_text {
namespace {

constexpr char kSessions[] = "SALLYPORT-DNAT";
constexpr char kBound[] = "SALLYPORT-BIND";
constexpr int kBranches = 16;  // of each of the two levels of a tree

// As `iptables -S` prints them, so that is_jump can compare.
const std::string& jump_rule(std::string_view chain) {
  static const std::string mark = fmt::format("{0:#x}/{0:#x}", kMark);
  static const std::string prerouting =
      "PREROUTING -p udp -m addrtype --dst-type LOCAL -m comment --comment sallyport -j SALLYPORT";
  static const std::string postrouting =
      "POSTROUTING -m connmark --mark " + mark + " -m comment --comment sallyport -j SALLYPORT-SNAT";
  static const std::string forward =
      "FORWARD -m connmark --mark " + mark + " -m comment --comment sallyport -j SALLYPORT";
  return chain == "PREROUTING" ? prerouting : chain == "POSTROUTING" ? postrouting : forward;
}

std::string host_net(const IpAddress& ip) { return fmt::format("{}/{}", ip.text(), ip.is_v4() ? 32 : 128); }

// The last byte of the client's address says which bucket is his.
int bucket_of(const Session& session) { return session.client.ip.bytes()[session.client.ip.is_v4() ? 3 : 15]; }

std::string branch(std::string_view root, int low) { return fmt::format("{}-{:x}", root, low); }
std::string bucket(std::string_view root, int byte) { return fmt::format("{}-{:02x}", root, byte); }

// -g, not -j: who comes back from a bucket has no other branch to try.
std::string fork(Family family, const std::string& from, int value, int mask, const std::string& to) {
  if (family == Family::v4) return fmt::format("{} -s 0.0.0.{}/0.0.0.{} -g {}", from, value, mask, to);
  return fmt::format("{} -s ::{}/::{:x} -g {}", from, value == 0 ? "" : fmt::format("{:x}", value), mask, to);
}

std::string first_fork(Family family, std::string_view root, int low) { return fork(family, std::string(root), low, 0x0f, branch(root, low)); }
std::string second_fork(Family family, std::string_view root, int byte) {
  return fork(family, branch(root, byte % kBranches), byte & 0xf0, 0xf0, bucket(root, byte));
}

// The chains of a tree but its buckets.
std::vector<Chain> tree(Family family, const std::string& root) {
  std::vector<Chain> chains{{"nat", root, {}}};
  for (int low = 0; low < kBranches; ++low) {
    chains[0].rules.push_back("-A " + first_fork(family, root, low));
    Chain& second = chains.emplace_back(Chain{"nat", branch(root, low), {}});
    for (int high = 0; high < kBranches; ++high) second.rules.push_back("-A " + second_fork(family, root, high * kBranches + low));
  }
  return chains;
}

// Where a session's packets come from and are sent to, with or without the
// flow's ports.
std::string forwarding_rule(const Session& session, bool pinned) {
  std::string ports;
  if (pinned) ports = fmt::format("--sport {} ", session.flow->client.port);
  if (!session.ports_kept()) ports += fmt::format("--dport {}", session.proxy_port);
  else if (pinned) ports += fmt::format("--dport {}", session.flow->server.port);
  else if (session.udp_port_range.low == session.udp_port_range.high) ports += fmt::format("--dport {}", session.udp_port_range.low);
  else ports += "--dport " + session.udp_port_range.text();
  const std::string target =
      session.ports_kept() ? session.host.ip.text() : Endpoint{session.host.ip, session.udp_port}.text();
  return fmt::format("{} -s {} -d {} -p udp -m udp {} -m comment --comment {} -j DNAT --to-destination {}", bucket(kSessions, bucket_of(session)),
                     host_net(session.client.ip), host_net(session.proxy.ip), ports, session.id, target);
}

// Which address of ours they go on from. Seen behind the DNAT: the server is
// the destination already, the source is still the client's.
std::string binding_rule(const Session& session, bool pinned) {
  std::string ports;
  if (pinned) ports = fmt::format("--sport {} ", session.flow->client.port);
  std::string proxy = "--ctorigdst " + session.proxy.ip.text();
  if (!session.ports_kept()) {
    ports += fmt::format("--dport {}", session.udp_port);
    proxy += fmt::format(" --ctorigdstport {}", session.proxy_port);
  } else if (pinned) {
    ports += fmt::format("--dport {}", session.flow->server.port);
  } else if (session.udp_port_range.low == session.udp_port_range.high) {
    ports += fmt::format("--dport {}", session.udp_port_range.low);
  } else {
    ports += "--dport " + session.udp_port_range.text();
  }
  return fmt::format("{} -s {} -d {} -p udp -m udp {} -m conntrack {} -m comment --comment {} -j SNAT --to-source {}", bucket(kBound, bucket_of(session)),
                     host_net(session.client.ip), host_net(session.host.ip), ports, proxy, session.id, session.bind_source_address->text());
}

Lines session_rules(const Session& session, bool pinned) {
  Lines rules{forwarding_rule(session, pinned)};
  if (session.bind_source_address) rules.push_back(binding_rule(session, pinned));
  return rules;
}

std::string with_verb(const char* verb, const Lines& rules) {
  std::string text;
  for (const auto& rule : rules) text += fmt::format("{} {}\n", verb, rule);
  return text;
}

// Pinned rules stand before all open ones: the open rule of one session must
// not catch the flow that another of the same client is pinned to.
std::string add_rules(const Session& session) { return with_verb(session.pinned() ? "-I" : "-A", rules_of(session)); }

template <typename Line>
std::string for_each(Family family, const std::vector<Session>& sessions, Line line) {
  std::string text;
  for (const auto& session : sessions) {
    if (is_for(session, family)) text += line(session);
  }
  return text;
}

std::string add_jump(const Jumps& present, std::string_view chain) {
  return present.contains(chain) ? "" : fmt::format("-I {}\n", jump_rule(chain));
}

// Those lines of `iptables -S` that are of our chains, by chain, in order.
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

long jumps_in(const Lines& lines) { return std::count_if(lines.begin(), lines.end(), is_jump); }

// Every chain of ours in table nat, those that lead to others first.
std::string for_each_chain(Family family, const char* form) {
  std::string text;
  for (const auto& chain : base_chains(family)) {
    if (chain.table == "nat") text += fmt::format(fmt::runtime(form), chain.name);
  }
  for (const auto& name : buckets()) text += fmt::format(fmt::runtime(form), name);
  return text;
}

std::string delete_jump(const Jumps& present, std::string_view chain) {
  return present.contains(chain) ? fmt::format("-D {}\n", jump_rule(chain)) : "";
}

}  // namespace

bool is_for(const Session& session, Family family) { return session.forwarding == config::Forwarding::iptables && family_of(session) == family; }

Family family_of(const Session& session) { return session.client.ip.is_v4() ? Family::v4 : Family::v6; }

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

std::vector<std::string> rules_of(const Session& session) { return session_rules(session, session.pinned()); }

std::vector<std::string> session_chains(const Session& session) {
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

const std::vector<Chain>& base_chains(Family family) {
  static const auto make = [](Family of) {
    std::vector<Chain> chains{
        {"filter", "SALLYPORT", {"-A SALLYPORT -j ACCEPT"}},
        {"nat",
         "SALLYPORT",
         {fmt::format("-A SALLYPORT -j CONNMARK --set-xmark {0:#x}/{0:#x}", kMark), "-A SALLYPORT -j SALLYPORT-DNAT",
          fmt::format("-A SALLYPORT -j CONNMARK --set-xmark 0x0/{:#x}", kMark)}},
        {"nat", "SALLYPORT-SNAT", {"-A SALLYPORT-SNAT -j SALLYPORT-BIND", "-A SALLYPORT-SNAT -j MASQUERADE"}},
    };
    for (const char* root : {kSessions, kBound}) {
      for (auto& chain : tree(of, root)) chains.push_back(std::move(chain));
    }
    return chains;
  };
  static const auto v4 = make(Family::v4);
  static const auto v6 = make(Family::v6);
  return family == Family::v4 ? v4 : v6;
}

const std::vector<std::string>& buckets() {
  static const auto all = [] {
    std::vector<std::string> names;
    for (const char* root : {kSessions, kBound}) {
      for (int byte = 0; byte < kBranches * kBranches; ++byte) names.push_back(bucket(root, byte));
    }
    return names;
  }();
  return all;
}

Base judge_base(Family family, const Lines& nat, const Lines& filter) {
  const auto in_nat = our_chains(nat);
  const auto& names = buckets();
  bool whole = jumps_in(nat) == 2 && std::all_of(names.begin(), names.end(), [&](const std::string& name) { return in_nat.contains(name); });
  for (const auto& chain : base_chains(family)) {
    if (chain.table != "nat") continue;
    const auto found = in_nat.find(chain.name);
    whole = whole && found != in_nat.end() && found->second == chain.rules;
  }
  const bool any = jumps_in(nat) > 0 || !in_nat.empty();
  const Base accepting = judge_accepting(filter);
  if (whole && accepting == Base::present) return Base::present;
  return any || accepting == Base::damaged ? Base::damaged : Base::absent;
}

Base judge_accepting(const Lines& filter) {
  const auto chains = our_chains(filter);
  const auto& wanted = base_chains(Family::v4).front();
  const auto found = chains.find(wanted.name);
  if (jumps_in(filter) == 1 && chains.size() == 1 && found != chains.end() && found->second == wanted.rules) return Base::present;
  return jumps_in(filter) > 0 || !chains.empty() ? Base::damaged : Base::absent;
}

std::string accepting(const Jumps& present) {
  return "*filter\n:SALLYPORT - [0:0]\n" + base_chains(Family::v4).front().rules.front() + "\n" + add_jump(present, "FORWARD") + "COMMIT\n";
}

std::string base(Family family, const std::vector<Session>& sessions, const Jumps& present) {
  std::string rules;
  for (const auto& chain : base_chains(family)) {
    if (chain.table != "nat") continue;
    for (const auto& rule : chain.rules) rules += rule + "\n";
  }
  return accepting(present) + "*nat\n" + for_each_chain(family, ":{} - [0:0]\n") + rules + for_each(family, sessions, add_rules) +
         add_jump(present, "PREROUTING") + add_jump(present, "POSTROUTING") + "COMMIT\n";
}

std::string purge(Family family, const Jumps& present) {
  // Declaring a chain creates or empties it, so that -X succeeds either way.
  return "*filter\n:SALLYPORT - [0:0]\n" + delete_jump(present, "FORWARD") + "-X SALLYPORT\nCOMMIT\n" +
         "*nat\n" + for_each_chain(family, ":{} - [0:0]\n") + delete_jump(present, "PREROUTING") + delete_jump(present, "POSTROUTING") +
         for_each_chain(family, "-X {}\n") + "COMMIT\n";
}

std::string open(Family family, const std::vector<Session>& sessions) {
  std::set<std::string> ways;
  for (const auto& session : sessions) {
    if (!is_for(session, family)) continue;
    const int byte = bucket_of(session);
    for (const char* root : {kSessions, kBound}) {
      if (root == kBound && !session.bind_source_address) continue;
      ways.insert(first_fork(family, root, byte % kBranches));
      ways.insert(second_fork(family, root, byte));
    }
  }
  std::string checks;
  for (const auto& way : ways) checks += "-C " + way + "\n";
  return fmt::format("*filter\n-C {}\nCOMMIT\n*nat\n-C {}\n-C {}\n{}{}COMMIT\n", jump_rule("FORWARD"), jump_rule("PREROUTING"),
                     jump_rule("POSTROUTING"), checks, for_each(family, sessions, add_rules));
}

std::string pin(Family family, const std::vector<Session>& sessions) {
  const auto narrow = [](const Session& session) -> std::string {
    if (!session.pinned()) return {};
    return with_verb("-D", session_rules(session, false)) + add_rules(session);
  };
  return "*nat\n" + for_each(family, sessions, narrow) + "COMMIT\n";
}

std::string close(Family family, const std::vector<Session>& sessions) {
  const auto remove = [](const Session& session) { return with_verb("-D", rules_of(session)); };
  return "*nat\n" + for_each(family, sessions, remove) + "COMMIT\n";
}

}  // namespace firewall_text
