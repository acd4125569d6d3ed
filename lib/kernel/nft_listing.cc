#include "kernel/nft_listing.h"

#include <cstdint>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/failure.h"

namespace nft_listing {
namespace {

using Json = nlohmann::json;

std::string scalar(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

// The whole number of that name; 0 when there is none.
long number(const Json& object, const char* name, long low, long high) {
  const auto found = object.find(name);
  if (found == object.end()) return 0;
  // A number above LONG_MAX is unsigned; get<long> would make it negative.
  const bool whole = found->is_number_integer() &&
                     !(found->is_number_unsigned() && found->get<std::uint64_t>() > static_cast<std::uint64_t>(high));
  if (!whole || found->get<long>() < low || found->get<long>() > high)
    throw tool::Failure(tool::bad_input, fmt::format("read what nft lists: {} is not a number that can be", name));
  return found->get<long>();
}

// A value is 33001, "203.0.113.10" or {"concat": [...]}.
std::string words(const Json& value) {
  if (!value.is_object() || !value.contains("concat")) return scalar(value);
  std::string text;
  for (const auto& part : value.at("concat")) text += (text.empty() ? "" : " . ") + scalar(part);
  return text;
}

// `pair` is [key, value]; with a comment or a time-out, the key is inside {"elem": {"val": key, …}}.
Element element_from(const std::string& map, const Json& pair) {
  const Json& key = pair.at(0);
  const Json& inner = key.is_object() && key.contains("elem") ? key.at("elem") : key;
  if (!inner.is_object() || !inner.contains("val")) return {map, words(inner), words(pair.at(1)), "", {}};
  return {map, words(inner.at("val")), words(pair.at(1)), inner.value("comment", ""),
          std::chrono::seconds(number(inner, "expires", 0, 1L << 53))};
}

void add(Listing& listing, const Json& item) {
  if (item.contains("map")) {
    const Json& map = item.at("map");
    const std::string name = map.at("name");
    listing.maps.insert(name);
    for (const auto& pair : map.value("elem", Json::array())) listing.elements.push_back(element_from(name, pair));
  } else if (item.contains("set")) {
    const Json& set = item.at("set");
    const std::string name = set.at("name");
    listing.sets.insert(name);
    for (const auto& one : set.value("elem", Json::array())) listing.members.push_back({name, words(one)});
  } else if (item.contains("chain")) {
    const Json& chain = item.at("chain");
    const std::string name = chain.at("name");
    listing.chains[name];
    if (chain.contains("hook"))
      listing.hooks.insert(fmt::format("{} {} {} {}", name, chain.value("type", ""), chain.value("hook", ""),
                                       number(chain, "prio", INT32_MIN, INT32_MAX)));
  } else if (item.contains("rule")) {
    const Json& rule = item.at("rule");
    listing.chains[rule.at("chain")].push_back(rule.value("comment", ""));
  }
}

}  // namespace

Listing parse(std::string_view json) {
  Listing listing;
  if (json.empty()) return listing;
  try {
    const Json all = Json::parse(json);
    for (const auto& item : all.at("nftables")) add(listing, item);
  } catch (const Json::exception& fault) {
    throw tool::Failure(tool::bad_input, fmt::format("read what nft lists: {}", fault.what()));
  }
  return listing;
}

}  // namespace nft_listing
