#include "firewall/firewall.h"

#include "firewall/iptables.h"
#include "firewall/nftables.h"

namespace firewall {

Part part_of(const session::Session& session) {
  if (session.route.forwarding == config::Forwarding::nftables) return Part::nftables;
  return session.client.ip.is_v4() ? Part::iptables : Part::ip6tables;
}

Backend& backend(Part part) {
  switch (part) {
    case Part::iptables: return iptables::backend(text::Family::v4);
    case Part::ip6tables: return iptables::backend(text::Family::v6);
    case Part::nftables: break;
  }
  return nftables::backend();
}

void offer(const session::Session& session) {
  const Part own = part_of(session);
  for (const Part part : kParts) {
    if (part != own && backend(part).is_installed()) backend(part).close_flow(session);
  }
  backend(own).offer(session);
}

std::set<std::string> without_rule(Part part, const std::vector<session::Session>& sessions) {
  const auto served = backend(part).find_served(sessions);
  std::set<std::string> without;
  for (const auto& session : sessions) {
    if (part_of(session) == part && !served.contains(session.id)) without.insert(session.id);
  }
  return without;
}

}  // namespace firewall
