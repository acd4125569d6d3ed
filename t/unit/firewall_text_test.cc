// The golden texts in golden/ are what the real iptables-save prints back:
// t/contract/asp-rules.t feeds them to it.
#include <doctest/doctest.h>
#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "firewall_text.h"
#include "record.h"

namespace {

using firewall_text::Family;
using firewall_text::Jumps;
using Sessions = std::vector<Session>;

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
  for (const auto& record : record::parse_all(golden("sessions"))) sessions.push_back(Session::from_record(record));
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

const Jumps kNone;

// Named after the last byte of the client's address.
std::string bucket(const std::string& root, const Session& session) {
  const auto* last = session.client.ip.bytes() + (session.client.ip.is_v4() ? 3 : 15);
  return fmt::format("{}-{:02x}", root, *last);
}

}  // namespace

TEST_CASE("firewall text: base, open, pin, close and purge are as the golden texts have them") {
  const auto sessions = golden_sessions();
  const struct { Family family; const char* prefix; } families[] = {{Family::v4, "v4-"}, {Family::v6, "v6-"}};
  for (const auto& [family, prefix] : families) {
    const std::string name = prefix;
    CAPTURE(name);
    CHECK(firewall_text::base(family, sessions, kNone) == golden(name + "base"));
    CHECK(firewall_text::base(family, sessions, firewall_text::all_jumps()) == golden(name + "base-jumps"));
    CHECK(firewall_text::open(family, sessions) == golden(name + "open"));
    CHECK(firewall_text::pin(family, sessions) == golden(name + "pin"));
    CHECK(firewall_text::close(family, sessions) == golden(name + "close"));
    CHECK(firewall_text::purge(family, kNone) == golden(name + "purge"));
    CHECK(firewall_text::purge(family, firewall_text::all_jumps()) == golden(name + "purge-jumps"));
  }
}

TEST_CASE("firewall text: sessions of the other family are passed over") {
  for (const auto& session : golden_sessions()) {
    const bool v4 = firewall_text::family_of(session) == Family::v4;
    CHECK(v4 == session.client.ip.is_v4());
    const Family other = v4 ? Family::v6 : Family::v4;
    CHECK(firewall_text::open(other, {session}).find(session.id) == std::string::npos);
    CHECK(firewall_text::base(other, {session}, kNone) == firewall_text::base(other, {}, kNone));
    CHECK(firewall_text::pin(other, {session}) == "*nat\nCOMMIT\n");
    CHECK(firewall_text::close(other, {session}) == "*nat\nCOMMIT\n");
  }
}

TEST_CASE("firewall text: every rule names one client, one proxy address, a port, and its session") {
  for (const auto& session : golden_sessions()) {
    const std::string rule = firewall_text::rules_of(session).front();
    CAPTURE(rule);
    const std::string bits = session.client.ip.is_v4() ? "/32" : "/128";
    CHECK(rule.starts_with(bucket("SALLYPORT-DNAT", session) + " -s " + session.client.ip.text() + bits + " -d " + session.proxy.ip.text() + bits + " -p udp -m udp "));
    CHECK(count(rule, "--dport ") == 1);
    CHECK(count(rule, "--sport ") == (session.pinned() ? 1 : 0));
    CHECK(count(rule, "--comment " + session.id + " ") == 1);
    CHECK(rule.find(" -j DNAT --to-destination ") != std::string::npos);
    CHECK(rule.find('\n') == std::string::npos);
    CHECK(rule.find(std::to_string(session.client.port)) == std::string::npos);  // the SSH connection's port is not UDP's
  }
}

TEST_CASE("firewall text: a session with a bind_source_address, and no other, has a second rule, for the same packets behind the DNAT") {
  int bound = 0;
  for (const auto& session : golden_sessions()) {
    const auto rules = firewall_text::rules_of(session);
    REQUIRE(rules.size() == (session.bind_source_address ? 2 : 1));
    if (!session.bind_source_address) continue;
    ++bound;
    const std::string& rule = rules.back();
    CAPTURE(rule);
    const std::string bits = session.client.ip.is_v4() ? "/32" : "/128";
    CHECK(rule.starts_with(bucket("SALLYPORT-BIND", session) + " -s " + session.client.ip.text() + bits + " -d " + session.host.ip.text() + bits + " -p udp -m udp "));
    CHECK(count(rule, " --dport ") == 1);
    CHECK(count(rule, " --sport ") == (session.pinned() ? 1 : 0));
    CHECK(count(rule, " --ctorigdst " + session.proxy.ip.text() + " ") == 1);
    CHECK(count(rule, " --comment " + session.id + " ") == 1);
    CHECK(rule.ends_with(" -j SNAT --to-source " + session.bind_source_address->text()));
  }
  CHECK(bound >= 4);
}

TEST_CASE("firewall text: the rules that open writes are what close removes, pinned or not") {
  for (auto session : golden_sessions()) {
    const Family family = firewall_text::family_of(session);
    const auto with = [](const char* verb, const Session& whose) {
      std::string text;
      for (const auto& rule : firewall_text::rules_of(whose)) text += verb + rule + "\n";
      return text;
    };
    CHECK(count(firewall_text::open(family, {session}), with(session.pinned() ? "-I " : "-A ", session)) == 1);
    CHECK(firewall_text::close(family, {session}) == "*nat\n" + with("-D ", session) + "COMMIT\n");
    Session unpinned = session;
    unpinned.flow.reset();
    if (!session.pinned()) {
      CHECK(firewall_text::pin(family, {session}) == "*nat\nCOMMIT\n");
      CHECK(firewall_text::rules_of(session) == firewall_text::rules_of(unpinned));
      continue;
    }
    CHECK(firewall_text::pin(family, {session}) == "*nat\n" + with("-D ", unpinned) + with("-I ", session) + "COMMIT\n");
  }
}

TEST_CASE("firewall text: a pinned rule goes in front, an open one behind") {
  for (const auto& session : golden_sessions()) {
    const std::string text = firewall_text::open(firewall_text::family_of(session), {session});
    CHECK(count(text, "\n-I " + bucket("SALLYPORT-DNAT", session) + " ") == (session.pinned() ? 1 : 0));
    CHECK(count(text, "\n-A " + bucket("SALLYPORT-DNAT", session) + " ") == (session.pinned() ? 0 : 1));
  }
}

TEST_CASE("firewall text: open checks every jump, and every way to its rules, before it changes anything") {
  const auto sessions = golden_sessions();
  const auto lines = lines_of(firewall_text::open(Family::v4, sessions));
  std::set<std::string> checked;
  bool changed = false;
  for (const auto& line : lines) {
    changed = changed || line.starts_with("-A") || line.starts_with("-I");
    if (!line.starts_with("-C ")) continue;
    CHECK_FALSE(changed);
    checked.insert("-A " + line.substr(3));
  }
  CHECK(std::count_if(checked.begin(), checked.end(), firewall_text::is_jump) == static_cast<long>(firewall_text::all_jumps().size()));
  for (const auto& session : sessions) {
    if (firewall_text::family_of(session) != Family::v4) continue;
    const int byte = session.client.ip.bytes()[3];
    CHECK(checked.contains(fmt::format("-A SALLYPORT-DNAT -s 0.0.0.{}/0.0.0.15 -g SALLYPORT-DNAT-{:x}", byte % 16, byte % 16)));
    CHECK(checked.contains(fmt::format("-A SALLYPORT-DNAT-{:x} -s 0.0.0.{}/0.0.0.240 -g SALLYPORT-DNAT-{:02x}", byte % 16, byte & 0xf0, byte)));
  }
}

TEST_CASE("firewall text: each tree leads every address to one bucket, which is named after its last byte") {
  for (const auto family : {Family::v4, Family::v6}) {
    std::set<std::string> reached;
    std::set<std::string> forks;
    for (const auto& chain : firewall_text::base_chains(family)) {
      for (const auto& rule : chain.rules) {
        CHECK(rule.starts_with("-A " + chain.name + " "));
        if (const auto at = rule.find(" -g "); at != rule.npos) {
          CHECK(reached.insert(rule.substr(at + 4)).second);
          CHECK(forks.insert(chain.name + rule.substr(chain.name.size() + 3, at)).second);
        }
      }
    }
    CHECK(firewall_text::buckets().size() == 512);
    for (const auto& name : firewall_text::buckets()) CHECK(reached.contains(name));
    CHECK(reached.size() == 2 * (16 + 256));
  }
}

TEST_CASE("firewall text: a rule of a session is known by its bucket, and no other rule is one") {
  for (const auto& session : golden_sessions()) {
    for (const auto& rule : firewall_text::rules_of(session)) CHECK(firewall_text::is_session_rule("-A " + rule));
    const auto chains = firewall_text::session_chains(session);
    CHECK(chains == std::vector{bucket("SALLYPORT-DNAT", session), bucket("SALLYPORT-BIND", session)});
  }
  for (const auto& chain : firewall_text::base_chains(Family::v4)) {
    for (const auto& rule : chain.rules) CHECK_FALSE(firewall_text::is_session_rule(rule));
  }
  for (const char* line : {"", "-A ", "-N SALLYPORT-DNAT-0a", "-A SALLYPORT-DNAT-0a", "-A SALLYPORT-DNAT -s 1.2.3.4/32 -j DNAT", "-A PREROUTING -j SALLYPORT-DNAT-0a x"}) {
    CHECK_FALSE(firewall_text::is_session_rule(line));
  }
}

TEST_CASE("firewall text: sessions that nftables forwards are passed over") {
  for (auto session : golden_sessions()) {
    const Family family = firewall_text::family_of(session);
    session.forwarding = config::Forwarding::nftables;
    CHECK(firewall_text::open(family, {session}) == firewall_text::open(family, {}));
    CHECK(firewall_text::base(family, {session}, kNone) == firewall_text::base(family, {}, kNone));
    CHECK(firewall_text::close(family, {session}) == "*nat\nCOMMIT\n");
  }
}

TEST_CASE("firewall text: base adds just the jumps that are missing, purge removes just those that are there") {
  for (const auto& chain : firewall_text::all_jumps()) {
    CAPTURE(chain);
    const std::string with = firewall_text::base(Family::v4, {}, {chain});
    const std::string purged = firewall_text::purge(Family::v4, {chain});
    for (const auto& other : firewall_text::all_jumps()) {
      CHECK(count(with, "\n-I " + other + " ") == (other == chain ? 0 : 1));
      CHECK(count(purged, "\n-D " + other + " ") == (other == chain ? 1 : 0));
    }
  }
}

TEST_CASE("firewall text: only our own chains are declared, flushed or removed, and no policy is set") {
  const auto sessions = golden_sessions();
  std::string all;
  for (const auto family : {Family::v4, Family::v6}) {
    for (const auto& text : {firewall_text::base(family, sessions, kNone), firewall_text::open(family, sessions), firewall_text::pin(family, sessions),
                             firewall_text::close(family, sessions), firewall_text::purge(family, firewall_text::all_jumps())}) {
      all += text;
      CHECK(count(text, "COMMIT\n") == count("\n" + text, "\n*"));
      CHECK(text.ends_with("COMMIT\n"));
    }
  }
  for (const auto& line : lines_of(all)) {
    CAPTURE(line);
    const bool table = line == "*nat" || line == "*filter" || line == "COMMIT";
    const bool ours = line.starts_with(":SALLYPORT") || line.starts_with("-A SALLYPORT") || line.starts_with("-I SALLYPORT") ||
                      line.starts_with("-D SALLYPORT") || line.starts_with("-X SALLYPORT") || line.starts_with("-C SALLYPORT");
    const bool jump = (line.starts_with("-I ") || line.starts_with("-D ") || line.starts_with("-C ")) && firewall_text::is_jump("-A " + line.substr(3));
    CHECK((table || ours || jump));
  }
}

TEST_CASE("firewall text: a jump is known by its whole line") {
  const std::string good = "-A PREROUTING -p udp -m addrtype --dst-type LOCAL -m comment --comment sallyport -j SALLYPORT";
  CHECK(firewall_text::is_jump(good));
  CHECK(firewall_text::is_jump("-A POSTROUTING -m connmark --mark 0x8000000/0x8000000 -m comment --comment sallyport -j SALLYPORT-SNAT"));
  CHECK(firewall_text::is_jump("-A FORWARD -m connmark --mark 0x8000000/0x8000000 -m comment --comment sallyport -j SALLYPORT"));
  for (const std::string& line : {std::string(), good.substr(3), good + " ", good + "-DNAT", "-D" + good.substr(2), std::string("-P FORWARD ACCEPT"),
                                 std::string("-A PREROUTING -j SALLYPORT"), std::string("-A FORWARD -m comment --comment sallyport -j SALLYPORT"),
                                 std::string("-A INPUT -m connmark --mark 0x8000000/0x8000000 -m comment --comment sallyport -j SALLYPORT")}) {
    CAPTURE(line);
    CHECK_FALSE(firewall_text::is_jump(line));
  }
}

TEST_CASE("firewall text: the base is present, damaged or absent") {
  using firewall_text::Base;
  using firewall_text::Lines;
  // As iptables -S prints it: all chains first.
  const auto printed = [](const char* table, const std::vector<std::string>& others) {
    Lines chains;
    Lines rules;
    for (const auto& chain : firewall_text::base_chains(Family::v4)) {
      if (chain.table != table) continue;
      chains.push_back("-N " + chain.name);
      rules.insert(rules.end(), chain.rules.begin(), chain.rules.end());
    }
    if (std::string(table) == "nat") {
      for (const auto& name : firewall_text::buckets()) chains.push_back("-N " + name);
    }
    Lines all{"-P FORWARD DROP"};
    for (const auto& part : {chains, others, rules}) all.insert(all.end(), part.begin(), part.end());
    return all;
  };
  const std::string mark = "0x8000000/0x8000000";
  const std::string foreign = "-A PREROUTING -p tcp -m tcp --dport 81 -j REDIRECT --to-ports 82";
  const Lines nat = printed("nat", {foreign, "-A PREROUTING -p udp -m addrtype --dst-type LOCAL -m comment --comment sallyport -j SALLYPORT",
                                    "-A POSTROUTING -m connmark --mark " + mark + " -m comment --comment sallyport -j SALLYPORT-SNAT"});
  const Lines filter = printed("filter", {"-A FORWARD -m connmark --mark " + mark + " -m comment --comment sallyport -j SALLYPORT"});
  const auto judge = [](const Lines& in_nat, const Lines& in_filter) { return firewall_text::judge_base(Family::v4, in_nat, in_filter); };
  CHECK(judge(nat, filter) == Base::present);
  CHECK(judge({}, {}) == Base::absent);
  CHECK(judge({nat[0], foreign}, {filter[0]}) == Base::absent);
  CHECK(judge(nat, {filter[0]}) == Base::damaged);
  CHECK(firewall_text::judge_accepting(filter) == Base::present);
  CHECK(firewall_text::judge_accepting({filter[0]}) == Base::absent);
  // Accepting alone is there for nftables, and no part of what iptables lacks.
  CHECK(judge({nat[0]}, filter) == Base::absent);
  for (std::size_t without = 1; without < filter.size(); ++without) {
    Lines less = filter;
    less.erase(less.begin() + static_cast<std::ptrdiff_t>(without));
    if (filter[without] == "-N SALLYPORT") continue;  // a chain is there as long as its rules are
    CHECK(firewall_text::judge_accepting(less) == Base::damaged);
    CHECK(judge({nat[0]}, less) == Base::damaged);
  }
  for (std::size_t without = 1; without < nat.size(); ++without) {
    const bool has_rules = nat[without].starts_with("-N ") && nat[without].size() < std::string("-N SALLYPORT-DNAT-00").size();
    if (nat[without] == foreign || has_rules) continue;
    Lines less = nat;
    less.erase(less.begin() + static_cast<std::ptrdiff_t>(without));
    CAPTURE(nat[without]);
    CHECK(judge(less, filter) == Base::damaged);
  }
  for (const char* one : {"-A SALLYPORT-SNAT -j ACCEPT", "-A SALLYPORT-DNAT -s 198.51.100.10/32 -j DNAT --to-destination 203.0.113.10", "-A SALLYPORT-DNAT-a -j RETURN"}) {
    Lines more = nat;
    more.push_back(one);
    CHECK(judge(more, filter) == Base::damaged);
  }
  Lines with_session = nat;
  for (const auto& rule : firewall_text::rules_of(golden_sessions().front())) with_session.push_back("-A " + rule);
  CHECK(judge(with_session, filter) == Base::present);
  // What the release before had: the rules of sessions in SALLYPORT-DNAT itself.
  CHECK(judge({"-N SALLYPORT", "-N SALLYPORT-DNAT", "-N SALLYPORT-SNAT", "-N SALLYPORT-BIND", nat[nat.size() - 1]}, filter) == Base::damaged);
}
