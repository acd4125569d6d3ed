// Where packets go by the texts of firewall/nft_text.h: nft_model takes them as nft would,
// and leads packets through what comes of it. Who should get a packet is decided beside
// it, by comparing it with the sessions one by one (traffic.h). golden/nft-base shows
// what the text looks like.
#include <doctest/doctest.h>
#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "firewall/nft_text.h"
#include "nft_model.h"
#include "traffic.h"

namespace {

namespace text = firewall::nft_text;
using nft_model::Ruleset;
using text::Elements;
using traffic::Draw;
using traffic::Family;
using traffic::kFamilies;
using traffic::Packet;
using traffic::Sessions;

// Of both families, in the order in which they opened.
Sessions draw_sessions(int count, Draw& draw) {
  Sessions sessions = traffic::draw_sessions(Family::v4, count, draw);
  for (auto& session : traffic::draw_sessions(Family::v6, count, draw)) {
    session.id[0] = '6';
    sessions.push_back(session);
  }
  for (auto& session : sessions) {
    session.route.forwarding = config::Forwarding::nftables;
    session.opened = draw.below(5);
  }
  std::sort(sessions.begin(), sessions.end(), [](const session::Session& one, const session::Session& other) {
    return std::pair(one.opened, one.id) < std::pair(other.opened, other.id);
  });
  return sessions;
}

std::string first_astray(const Ruleset& ruleset, const Sessions& sessions, const std::vector<Packet>& packets) {
  for (const auto& packet : packets) {
    if (const auto why = traffic::complaint(sessions, packet, ruleset.forward(packet)); !why.empty()) return why;
  }
  return {};
}

void check_packets(const Ruleset& ruleset, const Sessions& sessions, const Sessions& senders, Draw& draw) {
  for (const auto& packet : traffic::packets_of(senders, draw))
    CHECK(first_astray(ruleset, sessions, traffic::with_neighbours(packet, draw)) == "");
}

Ruleset laid(const Sessions& sessions) {
  Ruleset ruleset;
  ruleset.run(text::base(sessions));
  return ruleset;
}

Elements difference(const Elements& from, const Elements& less) {
  Elements rest;
  std::set_difference(from.begin(), from.end(), less.begin(), less.end(), std::back_inserter(rest));
  return rest;
}

// From one state of the sessions to the next, as the backend does it.
void change(Ruleset& ruleset, const Sessions& before, const Sessions& after) {
  const Elements old = text::elements_of(before), now = text::elements_of(after);
  ruleset.run(text::change(difference(old, now), difference(now, old)));
}

std::size_t count_elements(const Ruleset& ruleset) {
  std::size_t count = 0;
  for (const auto& [name, map] : ruleset.table()->maps) count += map.elements.size();
  return count;
}

bool is_without(const Ruleset& ruleset, const std::string& owner) {
  for (const auto& [name, map] : ruleset.table()->maps) {
    for (const auto& [key, element] : map.elements) {
      if (element.comment == owner) return false;
    }
  }
  return true;
}

}  // namespace

TEST_CASE("nft walk: each session's packets go to its server by its own element, and those of nobody go nowhere") {
  for (unsigned seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    Draw draw(seed);
    const auto sessions = draw_sessions(1 + draw.below(20), draw);
    const Ruleset ruleset = laid(sessions);
    check_packets(ruleset, sessions, sessions, draw);
    check_packets(ruleset, sessions, draw_sessions(20, draw), draw);
  }
}

TEST_CASE("nft walk: sessions open, are pinned, begin anew and close one by one, and nothing is left") {
  for (unsigned seed = 1; seed <= 2; ++seed) {
    CAPTURE(seed);
    Draw draw(seed);
    Sessions waiting = draw_sessions(12, draw), living;
    Ruleset ruleset = laid(waiting);
    change(ruleset, waiting, {});
    const auto maps = ruleset.table()->maps;
    CHECK(count_elements(ruleset) == 0);
    int flows = 0;
    while (!waiting.empty() || !living.empty()) {
      const Sessions before = living;
      std::string closed;
      if (!waiting.empty() && (living.empty() || draw.one_in(2))) {
        living.push_back(waiting.front());
        living.back().flow.reset();
        waiting.erase(waiting.begin());
      } else if (auto& one = living[static_cast<std::size_t>(draw.below(static_cast<int>(living.size())))];
                 !one.flow && draw.one_in(2)) {
        traffic::draw_flow(one, ++flows, draw);
      } else {
        closed = one.id;
        living.erase(living.begin() + (&one - living.data()));
      }
      change(ruleset, before, living);
      CHECK((closed.empty() || is_without(ruleset, closed)));
      CHECK(first_astray(ruleset, living, traffic::packets_of(living, draw)) == "");
      CHECK(first_astray(ruleset, living, traffic::packets_of(waiting, draw)) == "");
      const auto table = *ruleset.table();
      ruleset.run(text::renew(text::elements_of(living)));
      CHECK(*ruleset.table() == table);
    }
    CHECK(ruleset.table()->maps == maps);
  }
}

TEST_CASE("nft walk: a change is refused, and changes nothing, where it does not find what it takes or meets another") {
  Draw draw(3);
  const auto sessions = draw_sessions(20, draw);
  Ruleset ruleset = laid(sessions);
  const auto table = *ruleset.table();
  const Elements elements = text::elements_of(sessions);
  for (const auto& element : elements) {
    auto other = element;
    other.value = element.value.starts_with("2001:") ? "2001:db8::99" : "192.0.2.99";
    if (element.value.find(" . ") != element.value.npos) other.value += " . 1";
    CHECK_THROWS_AS(ruleset.run(text::change({}, {other})), nft_model::Refused);
    Ruleset less = ruleset;
    less.run(text::change({element}, {}));
    CHECK(count_elements(less) == elements.size() - 1);
    const auto without = *less.table();
    CHECK_THROWS_AS(less.run(text::change(elements, {})), nft_model::Refused);
    CHECK_THROWS_AS(less.run(text::renew({element})), nft_model::Refused);
    CHECK(*less.table() == without);
  }
  CHECK(*ruleset.table() == table);
  Ruleset nothing;
  CHECK_THROWS_AS(nothing.run(text::change({}, elements)), nft_model::Refused);
  CHECK(nothing.table() == nullptr);
}

TEST_CASE("nft walk: a range of ports that is added later is as one that was laid") {
  Draw draw(9);
  auto sessions = draw_sessions(20, draw);
  std::erase_if(sessions, [](const session::Session& session) { return text::range_of(session) != "50000-50099"; });
  REQUIRE(!sessions.empty());
  Ruleset ruleset = laid({});
  CHECK_THROWS_AS(change(ruleset, {}, sessions), nft_model::Refused);
  ruleset.run(text::add_range(sessions.front()));
  change(ruleset, {}, sessions);
  check_packets(ruleset, sessions, sessions, draw);
  CHECK(*ruleset.table() == *laid(sessions).table());
  CHECK_THROWS_AS(ruleset.run(text::add_range(sessions.front())), nft_model::Refused);
}

TEST_CASE(
    "nft walk: chains are few and short, each is reached, and a packet of nobody's neighbourhood meets few rules") {
  Draw draw(5);
  const auto sessions = draw_sessions(30, draw);
  const Ruleset ruleset = laid(sessions);
  std::set<std::string> reached;
  for (const auto& [name, chain] : ruleset.table()->chains) {
    CHECK_MESSAGE(chain.rules.size() <= 5, name);
    for (const auto& rule : chain.rules) {
      for (std::size_t i = 0; i + 1 < rule.words.size(); ++i) {
        if (rule.words[i] == "jump" || rule.words[i] == "goto") reached.insert(rule.words[i + 1]);
      }
    }
  }
  for (const auto& [name, chain] : ruleset.table()->chains)
    CHECK_MESSAGE((!chain.hook.empty() || reached.contains(name)), name);
  for (const auto family : kFamilies) {
    // The last two bytes of its address are nobody's.
    const auto stranger = *IpAddress::parse(family == Family::v4 ? "198.51.77.77" : "2001:db8:c::4d4d");
    const Packet packet{{stranger, 5000}, {traffic::address(family, 0, 39), 33001}};
    CHECK(ruleset.forward(packet).compared == 2 + 2 + 2 + 1);
    CHECK(ruleset.forward(packet).chains == std::set<std::string>{"to_pinned", "to_open", "to_bound", "to_masquerade"});
  }
}

TEST_CASE("nft walk: the base is the same whatever stood there, and purge leaves nothing") {
  Draw draw(11);
  const auto sessions = draw_sessions(20, draw);
  Ruleset ruleset = laid(draw_sessions(20, draw));
  ruleset.run(text::base(sessions));
  CHECK(*ruleset.table() == *laid(sessions).table());
  ruleset.run(text::purge());
  CHECK(ruleset.table() == nullptr);
  ruleset.run(text::purge());
  CHECK(ruleset.table() == nullptr);
}
