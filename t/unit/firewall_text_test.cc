// The texts, word by word: golden/ has those of the sessions in golden/sessions. Where
// packets go by them is in firewall_walk_test.cc; that the real iptables takes them, and prints them back so, is
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
    CHECK(rule.starts_with("SALLYPORT-SESSIONS -s " + session.client.ip.text() + bits + " -d " +
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
    CHECK(rule.starts_with("SALLYPORT-SNAT -s " + session.client.ip.text() + bits + " -d " + session.host.ip.text() +
                           bits + " -p udp -m udp "));
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
    const char* verb = session.pinned() ? "-I " : "-A ";
    for (const auto& rule : firewall::text::rules_of(session))
      CHECK(count(firewall::text::open(family, {session}), "\n" + (verb + rule) + "\n") == 1);
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
    CHECK(count(text, "\n-I SALLYPORT-SESSIONS ") == (session.pinned() ? 1 : 0));
    CHECK(count(text, "\n-A SALLYPORT-SESSIONS ") == (session.pinned() ? 0 : 1));
  }
}

TEST_CASE("firewall text: open checks every jump, and the way to the rules, before it changes anything") {
  std::set<std::string> checked;
  bool changed = false;
  for (const auto& line : lines_of(firewall::text::open(Family::v4, golden_sessions()))) {
    changed = changed || line.starts_with("-A") || line.starts_with("-I") || line.starts_with("-D");
    if (!line.starts_with("-C ")) continue;
    CHECK_FALSE(changed);
    checked.insert("-A " + line.substr(3));
  }
  CHECK(std::count_if(checked.begin(), checked.end(), firewall::text::is_jump) ==
        static_cast<long>(firewall::text::all_jumps().size()));
  CHECK(checked.contains("-A SALLYPORT -j SALLYPORT-SESSIONS"));
  CHECK(checked.size() == firewall::text::all_jumps().size() + 1);
}

TEST_CASE("firewall text: there are three chains, however many sessions, and masquerading comes last") {
  for (const auto family : {Family::v4, Family::v6}) {
    for (const auto& sessions : {Sessions{}, golden_sessions()}) {
      const std::string text = firewall::text::base(family, sessions, kNone);
      CHECK(count(text, "\n:SALLYPORT") == 3);
      CHECK(count(text, "\n-A SALLYPORT-SNAT -j MASQUERADE\n") == 1);
      CHECK((text.rfind(" -j SNAT ") == text.npos || text.rfind(" -j SNAT ") < text.find(" -j MASQUERADE")));
    }
    CHECK(count(firewall::text::purge(kNone), "\n-X SALLYPORT") == 3);
  }
}

TEST_CASE("firewall text: a rule of a session is known by its chain, and no other rule is one") {
  for (const auto& session : golden_sessions()) {
    for (const auto& rule : firewall::text::rules_of(session)) CHECK(firewall::text::is_session_rule("-A " + rule));
  }
  for (const auto& chain : firewall::text::base_chains()) {
    for (const auto& rule : chain.rules) CHECK_FALSE(firewall::text::is_session_rule(rule));
  }
  for (const char* line : {"", "-A ", "-N SALLYPORT-SESSIONS", "-A SALLYPORT-SESSIONS", "-A SALLYPORT-SNAT -j ACCEPT",
                           "-A SALLYPORT-DNAT-0a -s 1.2.3.4/32 -j DNAT", "-A PREROUTING -j SALLYPORT-SESSIONS x",
                           "-A SALLYPORT-SESSIONSX -j DNAT"}) {
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
  const auto printed = [](const std::vector<std::string>& others) {
    Lines all{"-P PREROUTING ACCEPT"};
    Lines rules;
    for (const auto& chain : firewall::text::base_chains()) {
      all.push_back("-N " + chain.name);
      rules.insert(rules.end(), chain.rules.begin(), chain.rules.end());
    }
    for (const auto& part : {others, rules}) all.insert(all.end(), part.begin(), part.end());
    return all;
  };
  const std::string mark = "0x8000000/0x8000000";
  const std::string foreign = "-A PREROUTING -p tcp -m tcp --dport 81 -j REDIRECT --to-ports 82";
  const Lines jumps{foreign, "-A PREROUTING -p udp -m comment --comment sallyport -j SALLYPORT",
                    "-A POSTROUTING -m connmark --mark " + mark + " -m comment --comment sallyport -j SALLYPORT-SNAT"};
  const Lines nat = printed(jumps);
  const Lines filter{"-P FORWARD DROP",
                     "-A FORWARD -m connmark --mark " + mark + " -m comment --comment sallyport -j ACCEPT",
                     "-A FORWARD -m comment --comment other -j ACCEPT"};
  const auto judge = [](const Lines& in_nat, const Lines& in_filter) {
    return firewall::text::judge_base(in_nat, in_filter);
  };
  CHECK(judge(nat, filter) == Base::present);
  CHECK(judge({}, {}) == Base::absent);
  CHECK(judge({nat[0], foreign}, {filter[0]}) == Base::absent);
  CHECK(judge(nat, {filter[0]}) == Base::damaged);
  CHECK(firewall::text::judge_accepting(filter) == Base::present);
  CHECK(firewall::text::judge_accepting({filter[0]}) == Base::absent);
  // Accepting alone is there for nftables, and no part of what iptables lacks.
  CHECK(judge({nat[0]}, filter) == Base::absent);
  for (std::size_t without = 1; without < nat.size(); ++without) {
    // A chain is there as long as its rules are.
    const bool has_rules = nat[without].starts_with("-N ") && nat[without] != "-N SALLYPORT-SESSIONS";
    if (nat[without] == foreign || has_rules) continue;
    Lines less = nat;
    less.erase(less.begin() + static_cast<std::ptrdiff_t>(without));
    CAPTURE(nat[without]);
    CHECK(judge(less, filter) == Base::damaged);
  }
  for (const char* one : {"-A SALLYPORT-SNAT -j ACCEPT", "-A SALLYPORT -j RETURN", "-A SALLYPORT-DNAT-a -j RETURN",
                          "-A SALLYPORT-SNAT -s 198.51.100.10/32 -j SNAT --to-source 203.0.113.10"}) {
    Lines more = nat;
    more.push_back(one);  // behind the last rule of its chain
    CHECK(judge(more, filter) == Base::damaged);
  }
  for (const auto& session : golden_sessions()) {
    Lines with_session = nat;
    for (const auto& rule : firewall::text::rules_of(session))
      with_session.insert(with_session.begin() + 4, "-A " + rule);
    CHECK(judge(with_session, filter) == Base::present);
  }
  // What older releases had.
  for (const char* chain : {"SALLYPORT-DNAT", "SALLYPORT-DNAT-0a", "SALLYPORT-BIND", "SALLYPORT-DNAT-bits-10"}) {
    Lines more = nat;
    more.push_back(std::string("-N ") + chain);
    CHECK(judge(more, filter) == Base::damaged);
    CHECK(firewall::text::standing(more, {}).outdated());
  }
  CHECK_FALSE(firewall::text::standing(nat, filter).outdated());
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
  CHECK(found.chains_nat == Lines{"SALLYPORT-DNAT", "SALLYPORT-DNAT-a"});
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
