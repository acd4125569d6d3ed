#include "firewall_text.h"

#include <algorithm>

#include <fmt/core.h>

namespace firewall_text {
namespace {

constexpr char kSessions[] = "SALLYPORT-DNAT";
constexpr char kBound[] = "SALLYPORT-BIND";

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
  return fmt::format("{} -s {} -d {} -p udp -m udp {} -m comment --comment {} -j DNAT --to-destination {}", kSessions,
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
  return fmt::format("{} -s {} -d {} -p udp -m udp {} -m conntrack {} -m comment --comment {} -j SNAT --to-source {}", kBound,
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
    if (family_of(session) == family) text += line(session);
  }
  return text;
}

std::string add_jump(const Jumps& present, std::string_view chain) {
  return present.contains(chain) ? "" : fmt::format("-I {}\n", jump_rule(chain));
}

bool has_chain(const Lines& lines, const std::string& name) { return std::find(lines.begin(), lines.end(), "-N " + name) != lines.end(); }

// The rules of one of our chains, in order.
Lines rules_in(const Lines& lines, const std::string& name) {
  Lines rules;
  for (const auto& line : lines) {
    if (line.starts_with("-A " + name + " ")) rules.push_back(line);
  }
  return rules;
}

long jumps_in(const Lines& lines) { return std::count_if(lines.begin(), lines.end(), is_jump); }

std::string delete_jump(const Jumps& present, std::string_view chain) {
  return present.contains(chain) ? fmt::format("-D {}\n", jump_rule(chain)) : "";
}

}  // namespace

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

const std::vector<std::string>& session_chains() {
  static const std::vector<std::string> chains{kSessions, kBound};
  return chains;
}

const std::vector<Chain>& base_chains() {
  static const std::vector<Chain> chains{
      {"filter", "SALLYPORT", {"-A SALLYPORT -j ACCEPT"}},
      {"nat",
       "SALLYPORT",
       {fmt::format("-A SALLYPORT -j CONNMARK --set-xmark {0:#x}/{0:#x}", kMark), "-A SALLYPORT -j SALLYPORT-DNAT",
        fmt::format("-A SALLYPORT -j CONNMARK --set-xmark 0x0/{:#x}", kMark)}},
      {"nat", "SALLYPORT-SNAT", {"-A SALLYPORT-SNAT -j SALLYPORT-BIND", "-A SALLYPORT-SNAT -j MASQUERADE"}},
  };
  return chains;
}

Base judge_base(const Lines& nat, const Lines& filter) {
  const auto jumps = static_cast<std::size_t>(jumps_in(nat) + jumps_in(filter));
  const auto there = [&](const std::string& chain) { return has_chain(nat, chain); };
  const auto& sessions = session_chains();
  bool whole = jumps == all_jumps().size() && std::all_of(sessions.begin(), sessions.end(), there);
  bool any = jumps > 0 || std::any_of(sessions.begin(), sessions.end(), there);
  for (const auto& chain : base_chains()) {
    const Lines& lines = chain.table == "nat" ? nat : filter;
    whole = whole && rules_in(lines, chain.name) == chain.rules;
    any = any || has_chain(lines, chain.name);
  }
  return whole ? Base::present : any ? Base::damaged : Base::absent;
}

std::string base(Family family, const std::vector<Session>& sessions, const Jumps& present) {
  const auto rules_in = [](std::string_view table) {
    std::string text;
    for (const auto& chain : base_chains()) {
      if (chain.table != table) continue;
      for (const auto& rule : chain.rules) text += rule + "\n";
    }
    return text;
  };
  return "*filter\n:SALLYPORT - [0:0]\n" + rules_in("filter") + add_jump(present, "FORWARD") + "COMMIT\n" +
         "*nat\n:SALLYPORT - [0:0]\n:SALLYPORT-DNAT - [0:0]\n:SALLYPORT-SNAT - [0:0]\n:SALLYPORT-BIND - [0:0]\n" + rules_in("nat") +
         for_each(family, sessions, add_rules) + add_jump(present, "PREROUTING") + add_jump(present, "POSTROUTING") +
         "COMMIT\n";
}

std::string purge(Family, const Jumps& present) {
  // Declaring a chain creates or empties it, so that -X succeeds either way.
  return "*filter\n:SALLYPORT - [0:0]\n" + delete_jump(present, "FORWARD") + "-X SALLYPORT\nCOMMIT\n" +
         "*nat\n:SALLYPORT - [0:0]\n:SALLYPORT-DNAT - [0:0]\n:SALLYPORT-SNAT - [0:0]\n:SALLYPORT-BIND - [0:0]\n" +
         delete_jump(present, "PREROUTING") + delete_jump(present, "POSTROUTING") +
         "-X SALLYPORT\n-X SALLYPORT-DNAT\n-X SALLYPORT-SNAT\n-X SALLYPORT-BIND\nCOMMIT\n";
}

std::string open(Family family, const std::vector<Session>& sessions) {
  return fmt::format("*filter\n-C {}\nCOMMIT\n*nat\n-C {}\n-C {}\n{}COMMIT\n", jump_rule("FORWARD"),
                     jump_rule("PREROUTING"), jump_rule("POSTROUTING"), for_each(family, sessions, add_rules));
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
