#include "lease/rules.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include <fmt/core.h>

#include "base/boot_clock.h"
#include "base/failure.h"
#include "base/logging.h"
#include "kernel/nft.h"
#include "kernel/nft_listing.h"
#include "lease/text.h"

namespace lease::rules {
namespace {

using Seconds = std::chrono::seconds;

// How far the time-out of an element may differ from that of its lease.
constexpr Seconds kTolerance{5};
// For more leases than that, laying all of them is faster.
constexpr std::size_t kMostMendedAlone = 100;

std::string table() { return fmt::format("table inet {}", lease::text::kTable); }

// What is in force: the base, and the elements by map and key, "lease4 203.0.113.20 . …".
struct Picture {
  nft_listing::Listing base;
  std::map<std::string, nft_listing::Element> elements;
};

Picture read_picture() {
  Picture picture;
  try {
    picture.base = nft_listing::parse(nft::list(table()));
  } catch (const tool::Failure& failure) {
    if (failure.code() != tool::bad_input) throw;
    logging::debug1("Cannot understand a part of {}: {}", table(), failure.what());
  }
  for (auto& element : picture.base.elements) picture.elements[element.map + " " + element.key] = element;
  return picture;
}

// True if each element of `lease` is in `picture`; removes them from it.
bool remove_from(Picture& picture, const Lease& lease, Seconds now) {
  bool whole = true;
  for (const auto& wanted : lease::text::elements_of(lease)) {
    const auto at = picture.elements.find(wanted.map + " " + wanted.key);
    if (at == picture.elements.end()) {
      whole = false;
      continue;
    }
    const auto& found = at->second;
    const Seconds off = found.expires - lease::text::timeout_of(lease, now);
    const bool timely = lease.lives_by_flows() ? found.expires > Seconds(0) : off <= kTolerance && off >= -kTolerance;
    whole = whole && found.value == wanted.value && found.comment == lease.id && timely;
    if (found.comment == lease.id) picture.elements.erase(at);
  }
  return whole;
}

// Checks maps, chains, and that each rule is in its place.
bool has_base(const nft_listing::Listing& there, const lease::text::Ways& ways) {
  std::map<std::string, std::vector<std::string>> chains;
  std::set<std::string> hooks;
  for (const auto& chain : lease::text::chains(ways)) {
    hooks.insert(chain.name + " " + chain.hook);
    for (const auto& rule : chain.rules) chains[chain.name].push_back(rule.comment);
  }
  return there.maps == std::set<std::string>{"lease4", "lease6"} && there.chains == chains && there.hooks == hooks;
}

// A table that cannot be corrected, since it is none of ours, is made anew.
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
  Picture picture = read_picture();
  Mended mended;
  std::vector<Lease> damaged;
  for (const auto& lease : leases) {
    if (!remove_from(picture, lease, now)) damaged.push_back(lease);
  }
  mended.laid = damaged.size();
  mended.removed = picture.elements.size();
  mended.base = !leases.empty() && !has_base(picture.base, ways);
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
