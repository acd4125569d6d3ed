#include "firewall/firewall.h"

#include "firewall/iptables.h"
#include "firewall/nft_text.h"
#include "firewall/nftables.h"
#include "kernel/nft.h"

namespace firewall {
namespace {

using firewall::text::Family;

Family family_of(Part part) { return part == Part::ip6tables ? Family::v6 : Family::v4; }

}  // namespace

void open(const Session& session) {
  firewall::nft_text::is_for(session) ? nftables::open(session) : iptables::open(session);
}
void pin(const Session& session) {
  firewall::nft_text::is_for(session) ? nftables::pin(session) : iptables::pin(session);
}
void close(const Session& session) {
  firewall::nft_text::is_for(session) ? nftables::close(session) : iptables::close(session);
}

std::optional<std::chrono::seconds> renewal(const Session& session) {
  if (!firewall::nft_text::is_for(session)) return std::nullopt;
  return firewall::nft_text::kTimeout / 3;
}

void renew(const Session& session) {
  if (firewall::nft_text::is_for(session)) nftables::renew(session);
}

void offer(const Session& session) {
  const Family family = firewall::text::family_of(session);
  if (iptables::is_installed(family)) iptables::forget(session);
  if (firewall::nft_text::is_for(session)) return nftables::offer(session);
  if (nft::is_installed()) nftables::forget(session);
  iptables::offer(session);
}

void settle(const Session& session) {
  firewall::nft_text::is_for(session) ? nftables::settle(session) : iptables::settle(session);
}
void remove_all_of(const Session& session) {
  firewall::nft_text::is_for(session) ? nftables::remove_all_of(session) : iptables::remove_all_of(session);
}

Part part_of(const Session& session) {
  if (firewall::nft_text::is_for(session)) return Part::nftables;
  return firewall::text::family_of(session) == Family::v4 ? Part::iptables : Part::ip6tables;
}

const char* name_of(Part part) {
  return part == Part::iptables ? "IPv4" : part == Part::ip6tables ? "IPv6" : "nftables";
}

bool is_installed(Part part) {
  return part == Part::nftables ? nft::is_installed() : iptables::is_installed(family_of(part));
}

Mended reconcile(Part part, const std::vector<Session>& sessions) {
  return part == Part::nftables ? nftables::reconcile(sessions) : iptables::reconcile(family_of(part), sessions);
}

void lay(Part part, const std::vector<Session>& sessions) {
  part == Part::nftables ? nftables::lay(sessions) : iptables::lay(family_of(part), sessions);
}

std::set<std::string> without_rule(Part part, const std::vector<Session>& sessions) {
  const auto served = part == Part::nftables ? nftables::served(sessions) : iptables::served(family_of(part));
  std::set<std::string> without;
  for (const auto& session : sessions) {
    if (part_of(session) == part && !served.contains(session.id)) without.insert(session.id);
  }
  return without;
}

firewall::text::Base look_at_base(Part part) {
  return part == Part::nftables ? nftables::look_at_base() : iptables::look_at_base(family_of(part));
}

bool purge(Part part) { return part == Part::nftables ? nftables::purge() : iptables::purge(family_of(part)); }

}  // namespace firewall
