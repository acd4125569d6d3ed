// Where packets go by the texts of firewall/text.h: iptables_model takes them as
// iptables-restore would, and leads packets through what comes of it. Who should get
// a packet is decided beside it, by comparing it with the sessions one by one
// (traffic.h).
#include <doctest/doctest.h>
#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "firewall/text.h"
#include "iptables_model.h"
#include "traffic.h"

namespace {

namespace text = firewall::text;
using iptables_model::Firewall;
using text::Family;
using traffic::address;
using traffic::Draw;
using traffic::kFamilies;
using traffic::Packet;
using traffic::Sessions;

// The first that goes wrong; empty: all go right.
std::string first_astray(const Firewall& firewall, const Sessions& sessions, const std::vector<Packet>& packets) {
  for (const auto& packet : packets) {
    const auto passage = firewall.forward(packet);
    if (const auto why = traffic::complaint(sessions, packet, passage); !why.empty()) return why;
    if (passage.accepted == passage.sent_on_by.empty()) return "not accepted, or what is not ours";
  }
  return {};
}

void check_packets(const Firewall& firewall, const Sessions& sessions, const Sessions& senders, Draw& draw) {
  for (const auto& packet : traffic::packets_of(senders, draw))
    CHECK(first_astray(firewall, sessions, traffic::with_neighbours(packet, draw)) == "");
}

text::Standing standing(const Firewall& firewall) {
  return text::standing(firewall.list("nat"), firewall.list("filter"));
}

text::Base judge(const Firewall& firewall) { return text::judge_base(firewall.list("nat"), firewall.list("filter")); }

// Laid as asp-pinhole and asp-reap do: what stands there is looked at first.
void lay(Firewall& firewall, Family family, const Sessions& sessions) {
  firewall.restore(text::base(family, sessions, standing(firewall)));
}

Firewall laid(Family family, const Sessions& sessions) {
  Firewall firewall;
  lay(firewall, family, sessions);
  return firewall;
}

// With the administrator's own rules, before ours and behind them.
Firewall foreign() {
  Firewall firewall;
  firewall.restore("*nat\n-A PREROUTING -p tcp -j REDIRECT\n-A PREROUTING -p udp -m comment --comment mine -j ACCEPT\n"
                   ":MINE - [0:0]\n-A MINE -j ACCEPT\n-A POSTROUTING -p tcp -j MINE\nCOMMIT\n"
                   "*filter\n-A FORWARD -d 192.0.2.1/32 -j ACCEPT\nCOMMIT\n");
  return firewall;
}

std::vector<std::string> sorted(const Firewall& firewall) {
  auto lines = firewall.list("nat");
  for (auto& line : firewall.list("filter")) lines.push_back("filter " + line);
  std::sort(lines.begin(), lines.end());
  return lines;
}

}  // namespace

TEST_CASE("firewall walk: each session's packets go to its server by its own rule, and those of nobody go nowhere") {
  for (const auto family : kFamilies) {
    for (unsigned seed = 1; seed <= 12; ++seed) {
      CAPTURE(seed);
      Draw draw(seed);
      const auto sessions = traffic::draw_sessions(family, 1 + draw.below(40), draw);
      const Firewall firewall = laid(family, sessions);
      check_packets(firewall, sessions, sessions, draw);
      check_packets(firewall, sessions, traffic::draw_sessions(family, 20, draw), draw);
    }
  }
}

TEST_CASE("firewall walk: a session of every last byte of an address has its packets, and no other has them") {
  for (const auto family : kFamilies) {
    Draw draw(7);
    Sessions sessions;
    for (int last = 0; last < 256; ++last) {
      sessions.push_back(traffic::draw_session(family, last, draw));
      sessions.back().client.ip = address(family, 0, last);
      sessions.back().flow.reset();
    }
    check_packets(laid(family, sessions), sessions, sessions, draw);
  }
}

TEST_CASE("firewall walk: sessions open, are pinned and close one by one, and the base is as it was") {
  for (const auto family : kFamilies) {
    for (unsigned seed = 1; seed <= 4; ++seed) {
      CAPTURE(seed);
      Draw draw(seed);
      Sessions waiting = traffic::draw_sessions(family, 20, draw), living;
      Firewall firewall = laid(family, waiting);
      firewall.restore(text::close(family, waiting));
      const Firewall before = firewall;
      int flows = 0;
      while (!waiting.empty() || !living.empty()) {
        if (!waiting.empty() && (living.empty() || draw.one_in(2))) {
          living.push_back(waiting.back());
          waiting.pop_back();
          living.back().flow.reset();
          firewall.restore(text::open(family, {living.back()}));
        } else if (auto& one = living[draw.below(static_cast<int>(living.size()))]; !one.flow && draw.one_in(2)) {
          traffic::draw_flow(one, ++flows, draw);
          firewall.restore(text::pin(family, {one}));
        } else {
          firewall.restore(text::close(family, {one}));
          living.erase(living.begin() + (&one - living.data()));
        }
        CHECK(first_astray(firewall, living, traffic::packets_of(living, draw)) == "");
        CHECK(first_astray(firewall, living, traffic::packets_of(waiting, draw)) == "");
      }
      CHECK(sorted(firewall) == sorted(before));
    }
  }
}

TEST_CASE("firewall walk: several at once open, are pinned and close as one by one") {
  for (const auto family : kFamilies) {
    Draw draw(3);
    auto sessions = traffic::draw_sessions(family, 30, draw);
    Firewall firewall = laid(family, sessions);
    firewall.restore(text::close(family, sessions));
    const Firewall before = firewall;
    auto unpinned = sessions;
    for (auto& session : unpinned) session.flow.reset();
    firewall.restore(text::open(family, unpinned));
    check_packets(firewall, unpinned, sessions, draw);
    firewall.restore(text::pin(family, sessions));
    check_packets(firewall, sessions, sessions, draw);
    CHECK(sorted(firewall) == sorted(laid(family, sessions)));
    CHECK_THROWS_AS(firewall.restore(text::pin(family, sessions)), iptables_model::Refused);
    firewall.restore(text::close(family, sessions));
    CHECK(sorted(firewall) == sorted(before));
    CHECK_THROWS_AS(firewall.restore(text::close(family, sessions)), iptables_model::Refused);
  }
}

TEST_CASE("firewall walk: chains are few, each is reached, and a packet of nobody meets one rule of each session") {
  for (const auto family : kFamilies) {
    Draw draw(5);
    const auto sessions = traffic::draw_sessions(family, 40, draw);
    const Firewall firewall = laid(family, sessions);
    const auto& nat = firewall.table("nat");
    std::set<std::string> reached;
    std::size_t of_sessions = 0;
    for (const auto& [name, chain] : nat) {
      for (const auto& rule : chain) reached.insert(rule->target);
      if (name == "SALLYPORT-SESSIONS") of_sessions += chain.size();
      else if (name == "SALLYPORT-SNAT") of_sessions += chain.size() - 1;
      else CHECK_MESSAGE(chain.size() <= (iptables_model::is_built_in(name) ? 1 : 3), name);
    }
    for (const auto& [name, chain] : nat)
      CHECK_MESSAGE((iptables_model::is_built_in(name) || reached.contains(name)), name);
    CHECK(nat.size() == 4 + 3);
    const auto bound = std::count_if(sessions.begin(), sessions.end(), [](const session::Session& session) {
      return session.route.bind_source_address.has_value();
    });
    CHECK(of_sessions == sessions.size() + static_cast<std::size_t>(bound));
    for (int last = 0; last < 256; ++last) {
      Packet packet{{address(family, 1, last), 5000}, {address(family, 0, 99), 33001}};
      // The jump, three of SALLYPORT, the sessions', and the rules of FORWARD and POSTROUTING.
      CHECK(firewall.forward(packet).compared <= static_cast<int>(1 + 3 + sessions.size() + 2));
      packet.protocol = "tcp";
      CHECK(firewall.forward(packet).compared == 3);
    }
  }
}

TEST_CASE("firewall walk: the base is the same whatever stood there, and what is not ours stays") {
  for (const auto family : kFamilies) {
    Draw draw(11);
    const auto sessions = traffic::draw_sessions(family, 10, draw);
    auto unbound = sessions;
    for (auto& session : unbound) session.route.bind_source_address.reset();
    Firewall whole = foreign();
    lay(whole, family, sessions);
    CHECK(judge(whole) == text::Base::present);
    const auto check = [&](Firewall before) {
      lay(before, family, sessions);
      CHECK(sorted(before) == sorted(whole));
      CHECK(judge(before) == text::Base::present);
      check_packets(before, sessions, sessions, draw);
    };
    check(whole);
    Firewall other = foreign();
    lay(other, family, unbound);
    CHECK(judge(other) == text::Base::present);
    CHECK(other.table("nat").size() == whole.table("nat").size());
    check(other);
    Firewall back = whole;
    lay(back, family, unbound);
    CHECK(sorted(back) == sorted(other));
    // Each jump, and its lack, a second one of it, and what an older release had.
    for (const auto& chain : text::all_jumps()) {
      const std::string table = chain == "FORWARD" ? "filter" : "nat";
      const std::string jump = chain + " " + whole.table(table).at(chain).front()->text;
      REQUIRE(text::is_jump("-A " + jump));
      Firewall damaged = whole;
      damaged.restore("*" + table + "\n-D " + jump + "\nCOMMIT\n");
      CHECK(judge(damaged) == text::Base::damaged);
      check(damaged);
      damaged = whole;
      damaged.restore("*" + table + "\n-I " + jump + "\nCOMMIT\n");
      CHECK(judge(damaged) == text::Base::damaged);
      check(damaged);
    }
    Firewall old = foreign();
    old.restore(
        "*nat\n:SALLYPORT - [0:0]\n:SALLYPORT-OLD - [0:0]\n:SALLYPORT-OLDER - [0:0]\n-A SALLYPORT -g SALLYPORT-OLD\n"
        "-A SALLYPORT-OLD -g SALLYPORT-OLDER\n-I PREROUTING -m comment --comment sallyport -j SALLYPORT\nCOMMIT\n"
        "*filter\n:SALLYPORT - [0:0]\n-A SALLYPORT -j ACCEPT\n"
        "-A FORWARD -m comment --comment sallyport -j SALLYPORT\nCOMMIT\n");
    CHECK(judge(old) == text::Base::damaged);
    Firewall purged = old;
    purged.restore(text::purge(standing(purged)));
    CHECK(sorted(purged) == sorted(foreign()));
    check(old);
  }
}

TEST_CASE("firewall walk: purge takes away all that is ours and nothing else, of whatever is left of it") {
  for (const auto family : kFamilies) {
    Draw draw(13);
    const auto sessions = traffic::draw_sessions(family, 10, draw);
    Firewall whole = foreign();
    lay(whole, family, sessions);
    Firewall accepting = foreign();
    accepting.restore(text::accepting(standing(accepting)));
    for (Firewall firewall : {whole, accepting, foreign()}) {
      firewall.restore(text::purge(standing(firewall)));
      CHECK(firewall == foreign());
    }
    Firewall flushed = whole;
    flushed.restore("*nat\n-F SALLYPORT\n-F SALLYPORT-SESSIONS\nCOMMIT\n");
    CHECK(judge(flushed) == text::Base::damaged);
    flushed.restore(text::purge(standing(flushed)));
    CHECK(flushed == foreign());
  }
}

namespace {

std::string without(const std::string& table, const std::string& line) {
  return fmt::format("*{}\n-D {}\nCOMMIT\n", table, line.substr(3));
}

// Whether open() is refused for lack of that rule; it must have changed nothing then.
bool is_missed(const Firewall& empty, const std::string& table, const std::string& line,
               const session::Session& session) {
  Firewall damaged = empty;
  damaged.restore(without(table, line));
  const Firewall before = damaged;
  try {
    damaged.restore(text::open(text::family_of(session), {session}));
    return false;
  } catch (const iptables_model::Refused&) {
    CHECK(damaged == before);
    return true;
  }
}

}  // namespace

TEST_CASE("firewall walk: open is refused, and changes nothing, where a rule is missing on the way to its own") {
  Draw draw(17);
  for (const auto family : kFamilies) {
    const bool bound = family == Family::v6;
    session::Session session = traffic::draw_session(family, 1, draw);
    session.route.bind_source_address.reset();
    if (bound) session.route.bind_source_address = address(family, 2, 1);
    Firewall firewall = laid(family, {session});
    const auto passed = firewall.forward(traffic::packet_of(session, draw)).chains;
    firewall.restore(text::close(family, {session}));
    int missed = 0, number = 0;
    for (const char* table : {"nat", "filter"}) {
      for (const auto& line : firewall.list(table)) {
        // All rules of the chains that its packets pass, and some of the others.
        const bool beside = !passed.contains(line.substr(3, line.find(' ', 3) - 3));
        if (!line.starts_with("-A ") || (beside && ++number % 16 != 0)) continue;
        missed += is_missed(firewall, table, line, session) ? 1 : 0;
      }
    }
    // Three jumps, the way to the rules, and for a second rule what it has to stand before.
    CHECK(missed == 3 + 1 + (bound ? 1 : 0));
    Firewall nothing;
    CHECK_THROWS_AS(nothing.restore(text::open(family, {session})), iptables_model::Refused);
    CHECK(nothing == Firewall());
  }
}
