// The texts, word by word: golden/ has those of the sessions in golden/sessions, and in
// golden/way what one of them has of the base. Where packets go by them is in
// firewall_walk_test.cc; that the real iptables takes them, and prints them back so, is
// in t/contract/asp-rules.t.
#include <doctest/doctest.h>
#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/record.h"
#include "firewall/text.h"

namespace {

using firewall::text::Family;
using firewall::text::Jumps;
using Sessions = std::vector<session::Session>;

std::string golden(const std::string& name) {
  const auto path = std::filesystem::path(__FILE__).parent_path() / "golden" / name;
  std::ifstream file(path);
  REQUIRE_MESSAGE(file, path.string() << ": run the unit tests from the top of the tree");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Sessions golden_sessions() {
  Sessions sessions;
  for (const auto& record : record::parse_all(golden("sessions")))
    sessions.push_back(session::Session::from_record(record));
  return sessions;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
  return found;
}

using firewall::text::Standing;

const Standing kNone;
Standing with_jumps(const Jumps& jumps) {
  Standing found;
  found.jumps = jumps;
  return found;
}

// Named after the last byte of the client's address.
std::string bucket(const std::string& root, const session::Session& session) {
  const auto* last = session.client.ip.bytes() + (session.client.ip.is_v4() ? 3 : 15);
  return fmt::format("{}-{:02x}", root, *last);
}

}  // namespace

TEST_CASE("firewall text: open, pin and close are as the golden texts have them") {
  const auto sessions = golden_sessions();
  const struct {
    Family family;
    const char* prefix;
  } families[] = {{Family::v4, "v4-"}, {Family::v6, "v6-"}};
  for (const auto& [family, prefix] : families) {
    const std::string name = prefix;
    CAPTURE(name);
    CHECK(firewall::text::open(family, sessions) == golden(name + "open"));
    CHECK(firewall::text::pin(family, sessions) == golden(name + "pin"));
    CHECK(firewall::text::close(family, sessions) == golden(name + "close"));
  }
}

TEST_CASE("firewall text: of the base, a session has what the golden way shows") {
  auto sessions = golden_sessions();
  std::erase_if(sessions, [](const session::Session& each) { return each.client.ip.text() != "198.51.100.15"; });
  REQUIRE(sessions.size() == 1);
  std::string way;
  for (const auto& line : lines_of(firewall::text::base(Family::v4, sessions, kNone))) {
    // ":CHAIN - [0:0]", "-A CHAIN -s ..."
    const auto start = line.starts_with(":") ? 1 : 3;
    const auto chain = line.size() < 3 ? "" : line.substr(start, line.find(' ', start) - start);
    const auto branch = chain.starts_with("SALLYPORT-") && chain.size() > 14 ? chain.substr(14) : "";
    if (std::set<std::string>{"", "-bits-11", "-bits-1111", "-bits-001111", "-0f"}.contains(branch)) way += line + "\n";
  }
  CHECK(way == golden("way"));
}

TEST_CASE("firewall text: sessions of the other family are passed over") {
  for (const auto& session : golden_sessions()) {
    const bool v4 = firewall::text::family_of(session) == Family::v4;
    CHECK(v4 == session.client.ip.is_v4());
    const Family other = v4 ? Family::v6 : Family::v4;
    CHECK(firewall::text::open(other, {session}).find(session.id) == std::string::npos);
    CHECK(firewall::text::base(other, {session}, kNone) == firewall::text::base(other, {}, kNone));
    CHECK(firewall::text::pin(other, {session}) == "*nat\nCOMMIT\n");
    CHECK(firewall::text::close(other, {session}) == "*nat\nCOMMIT\n");
  }
}

TEST_CASE("firewall text: every rule names one client, one proxy address, a port, and its session") {
  for (const auto& session : golden_sessions()) {
    const std::string rule = firewall::text::rules_of(session).front();
    CAPTURE(rule);
    const std::string bits = session.client.ip.is_v4() ? "/32" : "/128";
    CHECK(rule.starts_with(bucket("SALLYPORT-DNAT", session) + " -s " + session.client.ip.text() + bits + " -d " +
                           session.proxy.ip.text() + bits + " -p udp -m udp "));
    CHECK(count(rule, "--dport ") == 1);
    CHECK(count(rule, "--sport ") == (session.pinned() ? 1 : 0));
    CHECK(count(rule, "--comment " + session.id + " ") == 1);
    CHECK(rule.find(" -j DNAT --to-destination ") != std::string::npos);
    CHECK(rule.find('\n') == std::string::npos);
    CHECK(rule.find(std::to_string(session.client.port)) ==
          std::string::npos);  // the SSH connection's port is not UDP's
  }
}

TEST_CASE("firewall text: a session with a bind_source_address, and no other, has a second rule, for the same packets "
          "behind the DNAT") {
  int bound = 0;
  for (const auto& session : golden_sessions()) {
    const auto rules = firewall::text::rules_of(session);
    REQUIRE(rules.size() == (session.route.bind_source_address ? 2 : 1));
    if (!session.route.bind_source_address) continue;
    ++bound;
    const std::string& rule = rules.back();
    CAPTURE(rule);
    const std::string bits = session.client.ip.is_v4() ? "/32" : "/128";
    CHECK(rule.starts_with(bucket("SALLYPORT-BIND", session) + " -s " + session.client.ip.text() + bits + " -d " +
                           session.host.ip.text() + bits + " -p udp -m udp "));
    CHECK(count(rule, " --dport ") == 1);
    CHECK(count(rule, " --sport ") == (session.pinned() ? 1 : 0));
    CHECK(count(rule, " --ctorigdst " + session.proxy.ip.text() + " ") == 1);
    CHECK(count(rule, " --comment " + session.id + " ") == 1);
    CHECK(rule.ends_with(" -j SNAT --to-source " + session.route.bind_source_address->text()));
  }
  CHECK(bound >= 4);
}

TEST_CASE("firewall text: the rules that open writes are what close removes, pinned or not") {
  for (auto session : golden_sessions()) {
    const Family family = firewall::text::family_of(session);
    const auto with = [](const char* verb, const session::Session& whose) {
      std::string text;
      for (const auto& rule : firewall::text::rules_of(whose)) text += verb + rule + "\n";
      return text;
    };
    CHECK(count(firewall::text::open(family, {session}), with(session.pinned() ? "-I " : "-A ", session)) == 1);
    CHECK(firewall::text::close(family, {session}) == "*nat\n" + with("-D ", session) + "COMMIT\n");
    session::Session unpinned = session;
    unpinned.flow.reset();
    if (!session.pinned()) {
      CHECK(firewall::text::pin(family, {session}) == "*nat\nCOMMIT\n");
      CHECK(firewall::text::rules_of(session) == firewall::text::rules_of(unpinned));
      continue;
    }
    CHECK(firewall::text::pin(family, {session}) ==
          "*nat\n" + with("-D ", unpinned) + with("-I ", session) + "COMMIT\n");
  }
}

TEST_CASE("firewall text: a pinned rule goes in front, an open one behind") {
  for (const auto& session : golden_sessions()) {
    const std::string text = firewall::text::open(firewall::text::family_of(session), {session});
    CHECK(count(text, "\n-I " + bucket("SALLYPORT-DNAT", session) + " ") == (session.pinned() ? 1 : 0));
    CHECK(count(text, "\n-A " + bucket("SALLYPORT-DNAT", session) + " ") == (session.pinned() ? 0 : 1));
  }
}

TEST_CASE("firewall text: open checks every jump, and every way to its rules, before it changes anything") {
  const auto sessions = golden_sessions();
  const auto lines = lines_of(firewall::text::open(Family::v4, sessions));
  std::set<std::string> checked;
  bool changed = false;
  for (const auto& line : lines) {
    changed = changed || line.starts_with("-A") || line.starts_with("-I");
    if (!line.starts_with("-C ")) continue;
    CHECK_FALSE(changed);
    checked.insert("-A " + line.substr(3));
  }
  CHECK(std::count_if(checked.begin(), checked.end(), firewall::text::is_jump) ==
        static_cast<long>(firewall::text::all_jumps().size()));
  for (const auto& session : sessions) {
    if (firewall::text::family_of(session) != Family::v4) continue;
    const int byte = session.client.ip.bytes()[3];
    for (const std::string& root : {std::string("SALLYPORT-DNAT"), std::string("SALLYPORT-BIND")}) {
      if (root.ends_with("BIND") && !session.route.bind_source_address) continue;
      const std::string source = byte % 4 == 3 ? "" : fmt::format(" -s 0.0.0.{}/0.0.0.3", byte % 4);
      CHECK(checked.contains(fmt::format("-A {}{} -g {}-bits-{:02b}", root, source, root, byte % 4)));
      CHECK(checked.contains(fmt::format("-A {}-bits-{:06b} -s 0.0.0.{}/0.0.0.192 -g {}-{:02x}", root, byte % 64,
                                         byte & 0xc0, root, byte)));
    }
  }
  CHECK(checked.contains("-A SALLYPORT-SNAT -j SALLYPORT-BIND"));
  CHECK(firewall::text::open(Family::v4, {sessions.front()}).find("BIND") == std::string::npos);
}

// Walks like the kernel: the bucket where a packet of that client ends up.
std::string walk(Family family, std::string_view root, int byte) {
  std::string at(root);
  for (int steps = 0; steps < 10; ++steps) {
    std::string next;
    for (const auto& chain : firewall::text::base_chains(family, true)) {
      if (chain.name != at) continue;
      for (const auto& rule : chain.rules) {
        int value = 0;
        int mask = 0;
        const auto source = rule.find(" -s ");
        if (source != rule.npos) {
          const auto text = rule.substr(source + 4);
          if (family == Family::v4) REQUIRE(std::sscanf(text.c_str(), "0.0.0.%d/0.0.0.%d ", &value, &mask) == 2);
          else if (std::sscanf(text.c_str(), "::/::%x ", &mask) != 1)
            REQUIRE(std::sscanf(text.c_str(), "::%x/::%x ", &value, &mask) == 2);
        }
        if ((byte & mask) != value) continue;
        next = rule.substr(rule.find(" -g ") + 4);
        break;
      }
    }
    if (next.empty()) return at;
    at = next;
  }
  return "nowhere";
}

TEST_CASE("firewall text: each tree leads every address to one bucket, which is named after its last byte") {
  for (const auto family : {Family::v4, Family::v6}) {
    for (const char* root : {"SALLYPORT-DNAT", "SALLYPORT-BIND"}) {
      for (int byte = 0; byte < 256; ++byte) CHECK(walk(family, root, byte) == fmt::format("{}-{:02x}", root, byte));
    }
    std::set<std::string> names;
    for (const auto& chain : firewall::text::base_chains(family, true)) {
      CHECK(names.insert(chain.name).second);
      CHECK(chain.name.size() <= 28);
      for (const auto& rule : chain.rules) CHECK(rule.starts_with("-A " + chain.name + " "));
    }
    CHECK(firewall::text::buckets(true).size() == 512);
    for (const auto& name : firewall::text::buckets(true)) CHECK(names.insert(name).second);
    CHECK(names.size() == 2 + 2 * (1 + 4 + 16 + 64 + 256));
  }
}

TEST_CASE("firewall text: the tree of second rules is there only for a session that has one") {
  auto sessions = golden_sessions();
  CHECK(count(firewall::text::base(Family::v4, sessions, kNone), "SALLYPORT-BIND") > 300);
  for (auto& session : sessions) session.route.bind_source_address.reset();
  CHECK(count(firewall::text::base(Family::v4, sessions, kNone), "SALLYPORT-BIND") == 0);
  CHECK(count(firewall::text::purge(kNone), "-X SALLYPORT-BIND") == 1 + 4 + 16 + 64 + 256);
}

TEST_CASE("firewall text: a rule of a session is known by its bucket, and no other rule is one") {
  for (const auto& session : golden_sessions()) {
    for (const auto& rule : firewall::text::rules_of(session)) CHECK(firewall::text::is_session_rule("-A " + rule));
    const auto chains = firewall::text::session_chains(session);
    CHECK(chains == std::vector{bucket("SALLYPORT-DNAT", session), bucket("SALLYPORT-BIND", session)});
  }
  for (const auto& chain : firewall::text::base_chains(Family::v4, true)) {
    for (const auto& rule : chain.rules) CHECK_FALSE(firewall::text::is_session_rule(rule));
  }
  for (const char* line : {"", "-A ", "-N SALLYPORT-DNAT-0a", "-A SALLYPORT-DNAT-0a",
                           "-A SALLYPORT-DNAT -s 1.2.3.4/32 -j DNAT", "-A PREROUTING -j SALLYPORT-DNAT-0a x"}) {
    CHECK_FALSE(firewall::text::is_session_rule(line));
  }
}

TEST_CASE("firewall text: sessions that nftables forwards are passed over") {
  for (auto session : golden_sessions()) {
    const Family family = firewall::text::family_of(session);
    session.route.forwarding = config::Forwarding::nftables;
    CHECK(firewall::text::open(family, {session}) == firewall::text::open(family, {}));
    CHECK(firewall::text::base(family, {session}, kNone) == firewall::text::base(family, {}, kNone));
    CHECK(firewall::text::close(family, {session}) == "*nat\nCOMMIT\n");
  }
}

TEST_CASE("firewall text: base adds just the jumps that are missing, purge removes just those that are there") {
  for (const auto& chain : firewall::text::all_jumps()) {
    CAPTURE(chain);
    const std::string with = firewall::text::base(Family::v4, {}, with_jumps({chain}));
    const std::string purged = firewall::text::purge(with_jumps({chain}));
    for (const auto& other : firewall::text::all_jumps()) {
      CHECK(count(with, "\n-I " + other + " ") == (other == chain ? 0 : 1));
      CHECK(count(purged, "\n-D " + other + " ") == (other == chain ? 1 : 0));
    }
  }
}

TEST_CASE("firewall text: only our own chains are declared, flushed or removed, and no policy is set") {
  const auto sessions = golden_sessions();
  std::string all;
  for (const auto family : {Family::v4, Family::v6}) {
    for (const auto& text : {firewall::text::base(family, sessions, kNone), firewall::text::open(family, sessions),
                             firewall::text::pin(family, sessions), firewall::text::close(family, sessions),
                             firewall::text::purge(with_jumps(firewall::text::all_jumps()))}) {
      all += text;
      CHECK(count(text, "COMMIT\n") == count("\n" + text, "\n*"));
      CHECK(text.ends_with("COMMIT\n"));
    }
  }
  for (const auto& line : lines_of(all)) {
    CAPTURE(line);
    const bool table = line == "*nat" || line == "*filter" || line == "COMMIT";
    const bool ours = line.starts_with(":SALLYPORT") || line.starts_with("-A SALLYPORT") ||
                      line.starts_with("-I SALLYPORT") || line.starts_with("-D SALLYPORT") ||
                      line.starts_with("-X SALLYPORT") || line.starts_with("-C SALLYPORT");
    const bool jump = (line.starts_with("-I ") || line.starts_with("-D ") || line.starts_with("-C ")) &&
                      firewall::text::is_jump("-A " + line.substr(3));
    CHECK((table || ours || jump));
  }
}

TEST_CASE("firewall text: a jump is known by its whole line") {
  const std::string good = "-A PREROUTING -p udp -m comment --comment sallyport -j SALLYPORT";
  CHECK(firewall::text::is_jump(good));
  CHECK(firewall::text::is_jump(
      "-A POSTROUTING -m connmark --mark 0x8000000/0x8000000 -m comment --comment sallyport -j SALLYPORT-SNAT"));
  CHECK(firewall::text::is_jump(
      "-A FORWARD -m connmark --mark 0x8000000/0x8000000 -m comment --comment sallyport -j ACCEPT"));
  for (const std::string& line :
       {std::string(), good.substr(3), good + " ", good + "-DNAT", "-D" + good.substr(2),
        std::string("-P FORWARD ACCEPT"), std::string("-A PREROUTING -j SALLYPORT"),
        std::string("-A FORWARD -m comment --comment sallyport -j ACCEPT"),
        std::string("-A INPUT -m connmark --mark 0x8000000/0x8000000 -m comment --comment sallyport -j ACCEPT")}) {
    CAPTURE(line);
    CHECK_FALSE(firewall::text::is_jump(line));
  }
}

TEST_CASE("firewall text: the base is present, damaged or absent") {
  using firewall::text::Base;
  using firewall::text::Lines;
  // As iptables -S prints it: all chains first.
  const auto printed = [](bool bound, const std::vector<std::string>& others) {
    Lines all{"-P PREROUTING ACCEPT"};
    Lines rules;
    for (const auto& chain : firewall::text::base_chains(Family::v4, bound)) {
      all.push_back("-N " + chain.name);
      rules.insert(rules.end(), chain.rules.begin(), chain.rules.end());
    }
    for (const auto& name : firewall::text::buckets(true)) {
      if (bound || name.find("BIND") == name.npos) all.push_back("-N " + name);
    }
    for (const auto& part : {others, rules}) all.insert(all.end(), part.begin(), part.end());
    return all;
  };
  const std::string mark = "0x8000000/0x8000000";
  const std::string foreign = "-A PREROUTING -p tcp -m tcp --dport 81 -j REDIRECT --to-ports 82";
  const Lines jumps{foreign, "-A PREROUTING -p udp -m comment --comment sallyport -j SALLYPORT",
                    "-A POSTROUTING -m connmark --mark " + mark + " -m comment --comment sallyport -j SALLYPORT-SNAT"};
  const Lines nat = printed(true, jumps);
  const Lines filter{"-P FORWARD DROP",
                     "-A FORWARD -m connmark --mark " + mark + " -m comment --comment sallyport -j ACCEPT",
                     "-A FORWARD -m comment --comment other -j ACCEPT"};
  const auto judge = [](const Lines& in_nat, const Lines& in_filter) {
    return firewall::text::judge_base(Family::v4, in_nat, in_filter);
  };
  CHECK(judge(nat, filter) == Base::present);
  CHECK(judge({}, {}) == Base::absent);
  CHECK(judge({nat[0], foreign}, {filter[0]}) == Base::absent);
  CHECK(judge(nat, {filter[0]}) == Base::damaged);
  CHECK(firewall::text::judge_accepting(filter) == Base::present);
  CHECK(firewall::text::judge_accepting({filter[0]}) == Base::absent);
  // Accepting alone is there for nftables, and no part of what iptables lacks.
  CHECK(judge({nat[0]}, filter) == Base::absent);
  // Without a session that has a second rule, all of their tree, or nothing.
  Lines unbound = printed(false, jumps);
  CHECK(unbound.size() < nat.size());
  CHECK(judge(unbound, filter) == Base::present);
  unbound.push_back("-N SALLYPORT-BIND-0a");
  CHECK(judge(unbound, filter) == Base::damaged);
  const auto found = firewall::text::standing(unbound, filter);
  CHECK(count(firewall::text::base(Family::v4, {}, found), "-X SALLYPORT-BIND-0a\n") == 1);
  CHECK(count(firewall::text::base(Family::v4, golden_sessions(), found), "-X ") == 0);
  for (std::size_t without = 1; without < nat.size(); ++without) {
    // A chain is there as long as its rules are.
    const auto& names = firewall::text::buckets(true);
    const bool has_rules =
        nat[without].starts_with("-N ") && std::find(names.begin(), names.end(), nat[without].substr(3)) == names.end();
    if (nat[without] == foreign || has_rules) continue;
    // Below the roots of the trees some: they are judged alike, and there are 2,000.
    const auto chain = nat[without].substr(3, nat[without].find(' ', 3) - 3);
    if (chain.size() > std::string("SALLYPORT-DNAT").size() && without % 7 != 0) continue;
    Lines less = nat;
    less.erase(less.begin() + static_cast<std::ptrdiff_t>(without));
    CAPTURE(nat[without]);
    CHECK(judge(less, filter) == Base::damaged);
  }
  for (const char* one :
       {"-A SALLYPORT-SNAT -j ACCEPT", "-A SALLYPORT-DNAT -s 198.51.100.10/32 -j DNAT --to-destination 203.0.113.10",
        "-A SALLYPORT-DNAT-a -j RETURN"}) {
    Lines more = nat;
    more.push_back(one);
    CHECK(judge(more, filter) == Base::damaged);
  }
  Lines with_session = nat;
  for (const auto& rule : firewall::text::rules_of(golden_sessions().front())) with_session.push_back("-A " + rule);
  CHECK(judge(with_session, filter) == Base::present);
  // What the release before had: the rules of sessions in SALLYPORT-DNAT itself.
  CHECK(judge({"-N SALLYPORT", "-N SALLYPORT-DNAT", "-N SALLYPORT-SNAT", "-N SALLYPORT-BIND", nat[nat.size() - 1]},
              filter) == Base::damaged);
}

TEST_CASE("firewall text: what an older release laid is damage, and goes when the base is laid or purged") {
  using firewall::text::Base;
  using firewall::text::Lines;
  const std::string mark = "0x8000000/0x8000000";
  const std::string to_dnat = "-A PREROUTING -p udp -m comment --comment sallyport -j SALLYPORT";
  const std::string accepts = "-A FORWARD -m connmark --mark " + mark + " -m comment --comment sallyport -j ACCEPT";
  const std::string old_dnat =
      "-A PREROUTING -p udp -m addrtype --dst-type LOCAL -m comment --comment sallyport -j SALLYPORT";
  const std::string old_forward =
      "-A FORWARD -m connmark --mark " + mark + " -m comment --comment sallyport -j SALLYPORT";
  const Lines nat{"-P PREROUTING ACCEPT",
                  "-N SALLYPORT",
                  "-N SALLYPORT-DNAT",
                  "-N SALLYPORT-DNAT-a",
                  old_dnat,
                  to_dnat,
                  to_dnat,
                  "-A PREROUTING -p udp -m comment --comment mine -j SALLYPORTS",
                  "-A SALLYPORT-DNAT -s 0.0.0.10/0.0.0.15 -g SALLYPORT-DNAT-a"};
  const Lines filter{"-P FORWARD DROP", "-N SALLYPORT", old_forward,
                     "-A FORWARD -m comment --comment sallyport -j ACCEPT", "-A SALLYPORT -j ACCEPT"};
  const auto found = firewall::text::standing(nat, filter);
  CHECK(found.jumps == Jumps{"PREROUTING"});
  CHECK(found.old_nat == Lines{old_dnat, to_dnat});
  CHECK(found.old_filter == Lines{old_forward});
  CHECK(found.chains_nat == Lines{"SALLYPORT-DNAT-a"});
  CHECK(found.chains_filter == Lines{"SALLYPORT"});
  CHECK(firewall::text::judge_accepting(filter) == Base::damaged);
  CHECK(firewall::text::judge_accepting({accepts}) == Base::present);
  CHECK(firewall::text::judge_accepting({accepts, accepts}) == Base::damaged);
  CHECK(firewall::text::judge_accepting({accepts, old_forward}) == Base::damaged);
  CHECK(firewall::text::judge_accepting({accepts, "-N SALLYPORT"}) == Base::damaged);
  for (const auto& text : {firewall::text::base(Family::v4, {}, found), firewall::text::purge(found)}) {
    for (const char* line :
         {"-D PREROUTING -p udp -m addrtype --dst-type LOCAL -m comment --comment sallyport -j SALLYPORT\n",
          "-F SALLYPORT-DNAT-a\n", "-X SALLYPORT-DNAT-a\n"}) {
      CAPTURE(line);
      CHECK(count(text, line) == 1);
    }
    CHECK(count(text, "-D FORWARD -m connmark --mark " + mark +
                          " -m comment --comment sallyport -j SALLYPORT\n-F SALLYPORT\n-X SALLYPORT\n") == 1);
    CHECK(count(text, "mine") == 0);
  }
  CHECK(count(firewall::text::base(Family::v4, {}, found),
              "\n-D PREROUTING -p udp -m comment --comment sallyport -j SALLYPORT\n") == 1);
  CHECK(count(firewall::text::purge(found), "\n-D PREROUTING -p udp -m comment --comment sallyport -j SALLYPORT\n") ==
        2);
}
