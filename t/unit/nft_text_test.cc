// golden/nft-base is what nft takes: t/contract/asp-rules.t feeds it to it, and
// what it lists then is golden/nft-list.
#include <doctest/doctest.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/failure.h"
#include "base/record.h"
#include "firewall/nft_text.h"

namespace {

using firewall::nft_text::Elements;
using firewall::text::Base;
using Json = nlohmann::json;
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
  for (const auto& record : record::parse_all(golden("sessions"))) {
    sessions.push_back(session::Session::from_record(record));
    sessions.back().route.forwarding = config::Forwarding::nftables;
  }
  return sessions;
}

session::Session made_session(int number, std::int64_t opened) {
  session::Session made = golden_sessions().front();
  made.id = fmt::format("11111111-0000-4000-8000-{:012}", number);
  made.opened = opened;
  return made;
}

std::vector<std::string> texts(const Sessions& sessions) {
  std::vector<std::string> all;
  for (const auto& element : firewall::nft_text::elements_of(sessions)) all.push_back(element.text());
  return all;
}

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("nft text: the base, and what nft lists of it") {
  CHECK(firewall::nft_text::base(golden_sessions()) == golden("nft-base"));
  const auto listed = firewall::nft_text::parse(golden("nft-list"));
  CHECK(listed.base == Base::present);
  CHECK(listed.ranges == std::set<std::string>{"33001-33100"});
  CHECK(listed.elements == firewall::nft_text::elements_of(golden_sessions()));
  CHECK(listed.near == firewall::nft_text::near(listed.elements));
}

TEST_CASE("nft text: the last two bytes of a client's address lead to its element") {
  const auto near = [](const session::Session& session) {
    std::vector<std::string> all;
    for (const auto& one : firewall::nft_text::near(firewall::nft_text::elements_of({session})))
      all.push_back(one.map + " " + one.key + one.value + one.owner);
    return all;
  };
  session::Session made = made_session(1, 100);
  CHECK(near(made) == std::vector<std::string>{"near_open4 25610"});  // 100.10
  made.route.bind_source_address = IpAddress::parse("203.0.113.2");
  CHECK(near(made) == std::vector<std::string>{"near_bound4 25610", "near_open4 25610"});
  made.flow = session::PinnedFlow{*Endpoint::parse("198.51.100.10:5001"), *Endpoint::parse("203.0.113.10:33001")};
  CHECK(near(made) == std::vector<std::string>{"near_bound4 25610", "near_pinned4 25610"});
  made = golden_sessions()[2];
  REQUIRE(made.ports_kept());
  CHECK(near(made) == std::vector<std::string>{"near_open4 25612"});
  made = made_session(1, 100);
  made.client.ip = *IpAddress::parse("2001:db8::ff:fffe");
  CHECK(near(made) == std::vector<std::string>{"near_open6 65534"});
  // Twice the same is one.
  made = made_session(1, 100);
  session::Session other = made_session(2, 200);
  other.route.proxy_port = 443;
  const auto both = firewall::nft_text::elements_of({made, other});
  REQUIRE(both.size() == 2);
  CHECK(firewall::nft_text::near(both).size() == 1);
}

TEST_CASE("nft text: whatever adds an element adds what leads to it, and takes it away nowhere") {
  for (const auto& each : golden_sessions()) {
    const auto elements = firewall::nft_text::elements_of({each});
    const auto near = firewall::nft_text::near(elements);
    REQUIRE(near.size() == elements.size());
    for (const auto& one : near) {
      const std::string line = "add element inet sallyport " + one.map + " { " + one.key + " }\n";
      CHECK(count(firewall::nft_text::change({}, elements), line) == 1);
      CHECK(count(firewall::nft_text::renew(elements), line) == 1);
    }
    CHECK(count(firewall::nft_text::change(elements, {}), " near_") == 0);
    CHECK(firewall::nft_text::replace(near, {}) ==
          "delete element inet sallyport " + near[0].map + " { " + near[0].key + " }\n" +
              (near.size() < 2 ? "" : "delete element inet sallyport " + near[1].map + " { " + near[1].key + " }\n"));
    CHECK(count(firewall::nft_text::replace({}, elements), " near_") == 0);
  }
}

TEST_CASE("nft text: every session has an element that names its client, its proxy and itself, and a second one for a "
          "source address") {
  for (const auto& each : golden_sessions()) {
    const auto elements = firewall::nft_text::elements_of({each});
    REQUIRE(elements.size() == (each.route.bind_source_address ? 2 : 1));
    const auto own =
        std::find_if(elements.begin(), elements.end(), [](const auto& one) { return !one.map.starts_with("from_"); });
    REQUIRE(own != elements.end());
    const std::string digit = each.client.ip.is_v4() ? "4" : "6";
    const std::string map = each.pinned()       ? "pinned" + digit
                            : each.ports_kept() ? "kept" + digit + "_33001_33100"
                                                : "open" + digit;
    CHECK(own->map == map);
    CHECK(own->key.starts_with(each.client.ip.text() + " . " + each.proxy.ip.text()));
    CHECK(own->value.starts_with(each.host.ip.text()));
    CHECK(own->owner == each.id);
    for (const auto& element : elements) {
      if (!element.map.starts_with("from_")) continue;
      CHECK(element.map == "from_" + map);
      CHECK(element.value == each.route.bind_source_address->text());
    }
  }
}

TEST_CASE("nft text: who opened first has the element; the next gets it when the first is pinned or gone") {
  session::Session first = made_session(2, 100);
  session::Session second = made_session(1, 200);
  second.host.ip = *IpAddress::parse("203.0.113.77");
  second.route.bind_source_address = IpAddress::parse("203.0.113.2");
  const std::string open =
      "open4 { 198.51.100.10 . 198.51.100.39 . 33001 comment \"" + first.id + "\" : 203.0.113.10 . 33001 }";
  for (const auto& sessions : {Sessions{first, second}, Sessions{second, first}}) {
    // Without its source address, either: that is for its own server.
    CHECK(texts(sessions) == std::vector{open});
  }
  CHECK(texts({second}).size() == 2);
  first.flow = session::PinnedFlow{*Endpoint::parse("198.51.100.10:5001"), *Endpoint::parse("203.0.113.10:33001")};
  const auto both = firewall::nft_text::elements_of({first, second});
  REQUIRE(both.size() == 3);
  CHECK(both[0].map == "from_open4");
  CHECK(both[0].owner == second.id);
  CHECK(both[1].map == "open4");
  CHECK(both[1].owner == second.id);
  CHECK(both[2].text() ==
        "pinned4 { 198.51.100.10 . 198.51.100.39 . 5001 . 33001 comment \"" + first.id + "\" : 203.0.113.10 . 33001 }");
}

TEST_CASE("nft text: without source port filtering a session stays open") {
  session::Session loose = made_session(1, 100);
  loose.route.src_port_filtering = false;
  const auto before = firewall::nft_text::elements_of({loose});
  loose.flow = session::PinnedFlow{*Endpoint::parse("198.51.100.10:5001"), *Endpoint::parse("203.0.113.10:33001")};
  CHECK(firewall::nft_text::elements_of({loose}) == before);
}

TEST_CASE("nft text: sessions that iptables forwards are passed over") {
  session::Session other = made_session(1, 100);
  other.route.forwarding = config::Forwarding::iptables;
  CHECK(firewall::nft_text::elements_of({other}).empty());
  CHECK(firewall::nft_text::base({other}) == firewall::nft_text::base({}));
  CHECK(firewall::nft_text::range_of(other).empty());
}

TEST_CASE("nft text: each element expires, and a change takes away before it adds") {
  const auto elements = firewall::nft_text::elements_of(golden_sessions());
  const std::string base = firewall::nft_text::base(golden_sessions());
  CHECK(count(base, " timeout 60s comment \"") == static_cast<int>(elements.size()));
  const std::string text = firewall::nft_text::renew(elements);
  CHECK(count(text, "delete element inet sallyport ") == static_cast<int>(elements.size()));
  CHECK(count(text, " timeout 60s comment \"") == static_cast<int>(elements.size()));
  CHECK(text.rfind("delete element") < text.find("add element"));
}

TEST_CASE("nft text: nothing but our own table is named") {
  const auto sessions = golden_sessions();
  const auto elements = firewall::nft_text::elements_of(sessions);
  const std::string all = firewall::nft_text::base(sessions) + firewall::nft_text::purge() +
                          firewall::nft_text::renew(elements) + firewall::nft_text::add_range(sessions[2]);
  std::istringstream stream(all);
  for (std::string line; std::getline(stream, line);) {
    CAPTURE(line);
    CHECK((line.starts_with(" ") || line == "}" || count(line, "inet sallyport") == 1));
  }
}

TEST_CASE("nft text: the base is present, damaged or absent") {
  CHECK(firewall::nft_text::parse("").base == Base::absent);
  const Json whole = Json::parse(golden("nft-list"));
  const auto judge = [](const Json& json) { return firewall::nft_text::parse(json.dump()).base; };
  std::size_t counted = 0;
  for (std::size_t i = 0; i < whole.at("nftables").size(); ++i) {
    const Json& item = whole.at("nftables")[i];
    if (!item.contains("map") && !item.contains("set") && !item.contains("chain") && !item.contains("rule")) continue;
    // A chain without a hook is there as long as its rules are; both of a range's
    // maps that are gone make it another range.
    if (item.contains("chain") && !item["chain"].contains("hook")) continue;
    Json less = whole;
    less.at("nftables").erase(i);
    CAPTURE(item.dump());
    CHECK(judge(less) == Base::damaged);
    ++counted;
  }
  CHECK(counted > 40);
  Json other = whole;
  for (auto& item : other.at("nftables")) {
    if (item.contains("chain") && item["chain"]["name"] == "to_open") item["chain"]["prio"] = -100;
  }
  CHECK(judge(other) == Base::damaged);
  other = whole;
  other.at("nftables").push_back({{"rule", {{"chain", "to_pinned"}, {"comment", "stray"}}}});
  CHECK(judge(other) == Base::damaged);
}

TEST_CASE("nft text: what is not a list of nft's is refused") {
  for (const char* text : {"{", "[]", "{}", "{\"nftables\": [{\"map\": {}}]}",
                           "{\"nftables\": [{\"map\": {\"name\": \"open4\", \"elem\": [3]}}]}"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(firewall::nft_text::parse(text), tool::Failure);
  }
}
