#include <doctest/doctest.h>

#include <string>

#include "base/failure.h"
#include "kernel/nft_listing.h"
#include "lease/text.h"

namespace {

constexpr char kTable[] = R"({"nftables": [{"metainfo": {"version": "1.0.6"}},
  {"table": {"family": "inet", "name": "x"}},
  {"map": {"name": "m", "elem": [
    [{"elem": {"val": {"concat": ["10.0.0.1", "udp", 5000]}, "timeout": 60, "expires": 58, "comment": "one"}},
     {"concat": ["10.0.0.2", 33001]}],
    [{"concat": ["10.0.0.3", 6, 1]}, "10.0.0.4"],
    [7, {"concat": ["10.0.0.5", 8]}]]}},
  {"map": {"name": "empty"}},
  {"set": {"name": "s", "elem": [12, "13"]}},
  {"chain": {"name": "in", "type": "nat", "hook": "prerouting", "prio": -101, "policy": "accept"}},
  {"chain": {"name": "sub"}},
  {"rule": {"chain": "in", "comment": "first", "expr": []}},
  {"rule": {"chain": "in", "expr": []}}]})";

}  // namespace

TEST_CASE("nft listing: maps and their elements, sets, chains and their rules") {
  const auto listing = nft_listing::parse(kTable);
  CHECK(listing.maps == std::set<std::string>{"empty", "m"});
  CHECK(listing.sets == std::set<std::string>{"s"});
  CHECK(listing.hooks == std::set<std::string>{"in nat prerouting -101"});
  CHECK(listing.chains == std::map<std::string, std::vector<std::string>>{{"in", {"first", ""}}, {"sub", {}}});
  REQUIRE(listing.elements.size() == 3);
  CHECK(listing.elements[0].map == "m");
  CHECK(listing.elements[0].key == "10.0.0.1 . udp . 5000");
  CHECK(listing.elements[0].value == "10.0.0.2 . 33001");
  CHECK(listing.elements[0].comment == "one");
  CHECK(listing.elements[0].expires == std::chrono::seconds(58));
  CHECK(listing.elements[1].key == "10.0.0.3 . 6 . 1");
  CHECK(listing.elements[1].value == "10.0.0.4");
  CHECK(listing.elements[1].comment == "");
  CHECK(listing.elements[2].key == "7");
  REQUIRE(listing.members.size() == 2);
  CHECK(listing.members[1].set == "s");
  CHECK(listing.members[1].key == "13");
}

TEST_CASE("nft listing: there is no such table, or what there is is not a listing") {
  CHECK(nft_listing::parse("").maps.empty());
  CHECK(nft_listing::parse(R"({"nftables": []})").chains.empty());
  for (
      const char* const text :
      {"{", "[]", "{}", "3", R"({"nftables": [{"map": {}}]})", R"({"nftables": [{"rule": {}}]})",
       R"({"nftables": [{"map": {"name": "m", "elem": [3]}}]})",
       R"({"nftables": [{"map": {"name": "m", "elem": [[]]}}]})",
       R"({"nftables": [{"chain": {"name": "c", "hook": 3}}]})",
       R"({"nftables": [{"chain": {"name": "c", "hook": "h", "type": "t", "prio": 4294967186}}]})",
       R"({"nftables": [{"chain": {"name": "c", "hook": "h", "type": "t", "prio": -110.5}}]})",
       R"({"nftables": [{"chain": {"name": "c", "hook": "h", "type": "t", "prio": 18446744073709551506}}]})",
       R"({"nftables": [{"map": {"name": "m", "elem": [[{"elem": {"val": 1, "expires": -1}}, 2]]}}]})",
       R"({"nftables": [{"map": {"name": "m", "elem": [[{"elem": {"val": 1, "expires": 1.5}}, 2]]}}]})",
       R"({"nftables": [{"map": {"name": "m", "elem": [[{"elem": {"val": 1, "expires": 18446744073709551615}}, 2]]}}]})"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(nft_listing::parse(text), tool::Failure);
  }
}

TEST_CASE("nft listing: each rule of the leases' base has a comment of its own") {
  const lease::text::Ways ways{{"wan", IpAddress::parse("198.51.100.1"), IpAddress::parse("2001:db8::1")},
                               {"lan", IpAddress::parse("203.0.113.1"), {}}};
  std::set<std::string> seen;
  std::size_t rules = 0;
  for (const auto& chain : lease::text::chains(ways)) {
    for (const auto& rule : chain.rules) {
      ++rules;
      CHECK_FALSE(rule.comment.empty());
      CHECK(rule.comment.find('"') == std::string::npos);
      CHECK(seen.insert(rule.comment).second);
    }
  }
  CHECK(rules == 10);
  CHECK(lease::text::base(ways).find("comment \"wan 2001:db8::1\"\n") != std::string::npos);
}
