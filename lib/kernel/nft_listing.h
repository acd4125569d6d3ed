// kernel/nft_listing: parses what `nft -j list table` prints for a table of ours
// (libnftables-json(5)). Pure.
//
//   {"nftables": [{"map": {"name": "lease4", "elem": [[{"elem": {"val": {"concat": […]},
//     "comment": "3a9fd819-…", "expires": 199}}, {"concat": […]}]]}}, …]}
//
// Rules are recognized by their comments: versions of nft print rules differently.
#pragma once

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace nft_listing {

struct Element {
  std::string map;
  std::string key;      // "198.51.100.10 . 198.51.100.39 . 33001"
  std::string value;    // "203.0.113.10 . 33001"
  std::string comment;  // empty: none
  std::chrono::seconds expires{0};
};

struct Member {
  std::string set;
  std::string key;
};

struct Listing {
  std::set<std::string> maps;
  std::set<std::string> sets;
  std::map<std::string, std::vector<std::string>> chains;  // the comments of their rules, in order
  std::set<std::string> hooks;                             // "to_open nat prerouting -90"
  std::vector<Element> elements;                           // of the maps
  std::vector<Member> members;                             // of the sets
};

// Empty text is an empty listing: there is no such table. Failure{65} when it is not JSON of that
// form.
Listing parse(std::string_view json);

}  // namespace nft_listing
