#include "firewall/nftables.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <tuple>
#include <utility>

#include "base/failure.h"
#include "base/logging.h"
#include "firewall/iptables.h"
#include "firewall/nft_text.h"
#include "kernel/nft.h"
#include "session/spool.h"

namespace firewall::nftables {
namespace {

using nft_text::Element;
using nft_text::Elements;
using text::Base;

nft_text::Listed listed() { return nft_text::parse(nft::list(std::string("table ") + nft_text::kTable)); }

Elements difference(const Elements& from, const Elements& less) {
  Elements rest;
  std::set_difference(from.begin(), from.end(), less.begin(), less.end(), std::back_inserter(rest));
  return rest;
}

// The other sessions of the same client: only these can need the same element.
std::vector<session::Session> others_of(const session::Session& session) {
  auto others = session::spool::living_of(session.client.ip);
  std::erase_if(others, [&](const session::Session& other) { return other.id == session.id; });
  return others;
}

Elements with(std::vector<session::Session> others, const session::Session& session) {
  others.push_back(session);
  return nft_text::elements_of(others);
}

Rule rule_of(const Element& element) { return {element.owner, element.text()}; }

// Puts the element in force, whatever is in its place.
void put_element(const Element& element) {
  if (nft::try_apply(nft_text::renew({element})).empty()) return;
  nft::apply(nft_text::change({}, {element}));
}

void remove_element(const Element& element) { nft::try_apply(nft_text::change({element}, {})); }

// Both are sorted by place, as all elements are.
bool has(const Elements& elements, const Element& place) {
  const auto first =
      std::lower_bound(elements.begin(), elements.end(), place, [](const Element& one, const Element& other) {
        return std::tie(one.map, one.key) < std::tie(other.map, other.key);
      });
  return first != elements.end() && first->same_place(place);
}

// Marked flows have to be accepted in FORWARD, where a table of ours cannot overrule the others.
// Without iptables that is left to the administrator.
bool lay_accepting() {
  bool laid = false;
  for (const auto family : {text::Family::v4, text::Family::v6}) {
    if (!iptables::backend(family).is_installed()) continue;
    try {
      laid = iptables::lay_accepting(family) || laid;
    } catch (const tool::Failure& failure) {
      if (family == text::Family::v4) throw;
      logging::debug1("No rules for IPv6: {}", logging::escape(failure.what()));
    }
  }
  return laid;
}

void lay_all(const std::vector<session::Session>& sessions) {
  nft::apply(nft_text::base(sessions));
  lay_accepting();
}

// Called when a change was refused: elements expired, or somebody removed them or the table. `session`
// is in its present state.
void repair(const session::Session& session, const Elements& go, const Elements& come, const std::string& why) {
  logging::debug1("Mending the table {}: {}", nft_text::kTable, logging::escape(why));
  const auto now = listed();
  const std::string range = nft_text::range_of(session);
  if (now.base != Base::present || (!range.empty() && !now.ranges.contains(range))) {
    auto all = session::spool::living();
    std::erase_if(all, [&](const session::Session& other) { return other.id == session.id; });
    all.push_back(session);
    return lay_all(all);
  }
  for (const auto& element : go) {
    if (!has(come, element)) remove_element(element);
  }
  for (const auto& element : come) put_element(element);
}

void put_in_force(const session::Session& session, const Elements& before, const Elements& after) {
  const Elements go = difference(before, after);
  const Elements come = difference(after, before);
  if (go.empty() && come.empty()) return;
  const std::string text = nft_text::change(go, come);
  const std::string why = nft::try_apply(text);
  if (why.empty()) return;
  // It may be the first session with its range of ports.
  if (session.ports_kept() && nft::try_apply(nft_text::add_range(session) + text).empty()) return;
  repair(session, go, come, why);
}

// Removes all elements in the name of `session` for which `chosen` returns true.
template <typename Chosen>
void remove_elements_of(const session::Session& session, Chosen chosen) {
  for (const auto& element : listed().elements) {
    if (element.owner == session.id && chosen(element)) remove_element(element);
  }
}

bool contains(const Elements& elements, const Element& element) {
  return std::binary_search(elements.begin(), elements.end(), element);
}

class Nftables : public Backend {
 public:
  const char* name() const override { return "nftables"; }
  bool is_installed() const override { return nft::is_installed(); }

  void open(const session::Session& session) override {
    const auto others = others_of(session);
    put_in_force(session, nft_text::elements_of(others), with(others, session));
  }

  void pin(const session::Session& session) override {
    const auto others = others_of(session);
    session::Session unpinned = session;
    unpinned.flow.reset();
    put_in_force(session, with(others, unpinned), with(others, session));
  }

  void close(const session::Session& session) override {
    const auto others = others_of(session);
    const Elements before = with(others, session);
    const Elements after = nft_text::elements_of(others);
    const Elements go = difference(before, after);
    const Elements come = difference(after, before);
    if (nft::try_apply(nft_text::change(go, come)).empty()) return;
    // Removed one by one: an element that is gone is as it should be. If the table is gone, asp-reap restores
    // it for the others.
    for (const auto& element : go) remove_element(element);
    if (listed().base != Base::present) return;
    for (const auto& element : come) put_element(element);
  }

  std::optional<std::chrono::seconds> renewal() const override { return nft_text::kTimeout / 3; }

  void renew(const session::Session& session) override {
    Elements own = with(others_of(session), session);
    std::erase_if(own, [&](const Element& element) { return element.owner != session.id; });
    if (own.empty()) return;  // another's element serves it
    if (const auto why = nft::try_apply(nft_text::renew(own)); !why.empty()) repair(session, {}, own, why);
  }

  void offer(const session::Session& session) override {
    for (const auto& element : nft_text::elements_of({session})) put_element(element);
  }

  void settle(const session::Session& session) override {
    const Elements right = with(others_of(session), session);
    remove_elements_of(session, [&](const Element& element) { return !contains(right, element); });
  }

  void close_all(const session::Session& session) override {
    remove_elements_of(session, [](const Element&) { return true; });
  }

  void close_flow(const session::Session& session) override {
    session::Session served_here = session;
    served_here.route.forwarding = config::Forwarding::nftables;
    for (const auto& element : nft_text::elements_of({served_here})) remove_element(element);
  }

  Mended reconcile(const std::vector<session::Session>& sessions) override;
  void lay(const std::vector<session::Session>& sessions) override { lay_all(sessions); }

  std::set<std::string> find_served(const std::vector<session::Session>& sessions) override {
    const auto there = listed();
    std::set<std::string> ids;
    for (const auto& session : sessions) {
      const Elements own = nft_text::elements_of({session});
      // They are sorted: the element of the source address, if any, comes first.
      if (own.empty() || !has(there.elements, own.back())) continue;
      if (contains(there.near, nft_text::near({own.back()}).front())) ids.insert(session.id);
    }
    return ids;
  }

  Base inspect_base() override { return listed().base; }

  bool purge() override {
    if (listed().base == Base::absent) return false;
    nft::apply(nft_text::purge());
    return true;
  }
};

Mended Nftables::reconcile(const std::vector<session::Session>& sessions) {
  const Elements wanted = nft_text::elements_of(sessions);
  std::set<std::string> ranges;
  std::set<std::string> without_flow;  // these may have offers besides their element
  for (const auto& session : sessions) {
    if (const auto range = nft_text::range_of(session); !range.empty()) ranges.insert(range);
    if (!session.flow) without_flow.insert(session.id);
  }
  const auto now = listed();
  const Elements missing = difference(wanted, now.elements);
  Elements extra = difference(now.elements, wanted);
  std::erase_if(extra,
                [&](const Element& element) { return without_flow.contains(element.owner) && !has(missing, element); });
  Mended mended;
  for (const auto& element : extra) {
    if (!has(missing, element)) mended.removed.push_back(rule_of(element));
  }
  // Entries of the near_* sets stay if they lead to something, even an offer.
  Elements kept = difference(now.elements, extra);
  kept.insert(kept.end(), missing.begin(), missing.end());
  const Elements near = nft_text::near(kept);
  const Elements near_missing = difference(near, now.near);
  const bool needed = std::any_of(sessions.begin(), sessions.end(), nft_text::is_for);
  const bool whole =
      now.base == Base::present && std::includes(now.ranges.begin(), now.ranges.end(), ranges.begin(), ranges.end());
  mended.laid = needed && (!whole || !missing.empty() || !near_missing.empty());
  const std::string text =
      nft_text::replace(difference(now.near, near), near_missing) + nft_text::change(extra, missing);
  // All in one step, since there may be thousands. It is refused when one expires meanwhile.
  const bool done = (whole || !needed) && (text.empty() || nft::try_apply(text).empty());
  if (!done && needed) {
    lay(sessions);
  } else {
    if (!done) {
      for (const auto& element : extra) remove_element(element);
    }
    if (needed) mended.laid = lay_accepting() || mended.laid;
  }
  return mended;
}

}  // namespace

Backend& backend() {
  static Nftables nftables;
  return nftables;
}

}  // namespace firewall::nftables
