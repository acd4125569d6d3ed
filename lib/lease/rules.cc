#include "lease/rules.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/boot_clock.h"
#include "base/logging.h"
#include "kernel/nft.h"
#include "lease/text.h"

namespace lease::rules {
namespace {

using nlohmann::json;
using Seconds = std::chrono::seconds;

// How far the time-out of an element may be from that of its lease.
constexpr Seconds kTolerance{5};
// More are laid sooner by laying all.
constexpr std::size_t kMostMendedAlone = 100;

std::string table() { return fmt::format("table inet {}", lease::text::kTable); }

struct InForce {
  std::string value;
  std::string comment;
  Seconds expires{0};
};

// What `nft -j list table` shows, by map and key: "lease4 203.0.113.20 . …".
struct Picture {
  std::map<std::string, InForce> elements;
  std::set<std::string> maps;
  std::size_t rules = 0;
  bool understood = true;
};

std::string word(const json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

std::string concatenation(const json& value) {
  std::string text;
  for (const auto& part : value.at("concat")) text += (text.empty() ? "" : " . ") + word(part);
  return text;
}

// [{"elem": {"val": {"concat": […]}, "expires": 199, "comment": "…"}}, {"concat": […]}];
// without time-out and comment, the key stands there by itself.
void add_element(Picture& picture, const std::string& map, const json& pair) {
  const json& left = pair.at(0);
  InForce element;
  element.value = concatenation(pair.at(1));
  const bool plain = !left.contains("elem");
  const json& key = plain ? left : left.at("elem").at("val");
  if (!plain) {
    element.comment = left.at("elem").value("comment", "");
    element.expires = Seconds(left.at("elem").value("expires", 0L));
  }
  picture.elements[map + " " + concatenation(key)] = element;
}

Picture look() {
  Picture picture;
  const std::string listed = nft::list(table());
  if (listed.empty()) return picture;
  try {
    const json whole = json::parse(listed);
    for (const auto& object : whole.at("nftables")) {
      if (object.contains("rule")) ++picture.rules;
      if (!object.contains("map")) continue;
      const json& map = object.at("map");
      const auto name = map.at("name").get<std::string>();
      picture.maps.insert(name);
      if (!map.contains("elem")) continue;
      for (const auto& pair : map.at("elem")) add_element(picture, name, pair);
    }
  } catch (const json::exception& fault) {
    logging::debug1("Not understood of {}: {}", table(), fault.what());
    picture.understood = false;
  }
  return picture;
}

// Whether each element of `lease` is there, and takes it out of `picture`.
bool take_out(Picture& picture, const Lease& lease, Seconds now) {
  bool whole = true;
  for (const auto& wanted : lease::text::elements_of(lease)) {
    const auto at = picture.elements.find(wanted.map + " " + wanted.key);
    if (at == picture.elements.end()) {
      whole = false;
      continue;
    }
    const InForce& found = at->second;
    const Seconds off = found.expires - lease::text::timeout_of(lease, now);
    const bool timely = lease.lives_by_flows() ? found.expires > Seconds(0) : off <= kTolerance && off >= -kTolerance;
    whole = whole && found.value == wanted.value && found.comment == lease.id && timely;
    if (found.comment == lease.id) picture.elements.erase(at);
  }
  return whole;
}

// As many as lease::text::base() has.
std::size_t base_rules(const lease::text::Ways& ways) {
  const std::string text = lease::text::base(ways);
  std::size_t count = 0;
  for (auto at = text.find("add rule"); at != text.npos; at = text.find("add rule", at + 1)) ++count;
  return count;
}

bool has_base(const Picture& picture, const lease::text::Ways& ways) {
  return picture.understood && picture.rules == base_rules(ways) && picture.maps.size() == 2;
}

// A table that cannot be mended, since it is none of ours, is made anew.
void replace(const std::vector<Lease>& leases, const lease::text::Ways& ways) {
  const std::string text = lease::text::replace(leases, boot_clock::seconds(), ways);
  if (const auto why = nft::try_apply(text); !why.empty()) {
    logging::debug1("Making {} anew: {}", table(), logging::escape(why));
    nft::apply(lease::text::purge() + text);
  }
}

}  // namespace

void lay_base(const text::Ways& ways) { nft::apply(lease::text::base(ways)); }

void lay(const std::vector<Lease>& leases, const text::Ways& ways) { replace(leases, ways); }

bool apply(const Change& change, Registry& registry) {
  const Seconds now = boot_clock::seconds();
  const std::string text = lease::text::close(change.closed) + lease::text::renew(change.renewed, now) +
                           lease::text::open(change.opened, now);
  if (text.empty()) return false;
  const auto why = nft::try_apply(text);
  if (why.empty()) return false;
  auto all = registry.store->all();
  std::erase_if(all, [](const Lease& lease) { return lease.ending; });
  logging::event("Put back the mappings of {} leases", all.size());
  logging::debug1("The firewall had lost some: {}", logging::escape(why));
  replace(all, registry.ways);
  return true;
}

Mended reconcile(const std::vector<Lease>& leases, const text::Ways& ways) {
  const Seconds now = boot_clock::seconds();
  Picture picture = look();
  Mended mended;
  std::vector<Lease> damaged;
  for (const auto& lease : leases) {
    if (!take_out(picture, lease, now)) damaged.push_back(lease);
  }
  mended.laid = damaged.size();
  mended.removed = picture.elements.size();
  mended.base = !leases.empty() && !has_base(picture, ways);
  if (mended.removed > 0 || mended.base || damaged.size() > kMostMendedAlone) {
    replace(leases, ways);
  } else if (!damaged.empty()) {
    if (!nft::try_apply(lease::text::renew(damaged, now)).empty()) replace(leases, ways);
  }
  return mended;
}

bool purge() {
  if (nft::list(table()).empty()) return false;
  nft::apply(lease::text::purge());
  return true;
}

}  // namespace lease::rules
