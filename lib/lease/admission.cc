#include "lease/admission.h"

#include <algorithm>
#include <chrono>

#include "config/destination_policy.h"
#include "config/node_users.h"
#include "lease/addresses.h"

namespace lease::admission {

std::string complaint(const Lease& lease, const config::Config& config, const config::destination::Surroundings& here) {
  constexpr std::chrono::seconds kLongestLife{86400};  // aspera.conf(5), <session_timeout>
  const auto& proxy = config.proxy;
  if (lease.lifetime > kLongestLife || lease.renew_seconds > kLongestLife) return "it lives too long";
  if (!lease.user.empty() && !config::node_users::is_name(lease.user)) return "its user is not a valid name";
  if (lease.started.size() > 32 || lease.started.find_first_not_of("0123456789-:TZ") != std::string::npos)
    return "its beginning is not a time";
  if (lease.proxy != addresses::host_of(config.cluster, lease.client.is_v4()))
    return "its address is not the shared one inside";
  if (lease.ssh_port < proxy.port_range_low || lease.udp_ports.high > proxy.port_range_high)
    return "its ports are outside of the range";
  if (std::any_of(here.own.begin(), here.own.end(), [&](const Network& each) { return each.contains(lease.client); }))
    return "its client is this node";
  const auto target = config::destination::Target::parse(lease.destination);
  if (!target) return "its destination is neither a name nor an address";
  const auto judgement = config::destination::judge(
      {config, here}, {target->name, lease.address, lease.destination_ssh_port, lease.destination_udp_ports});
  return judgement.verdict == config::destination::Verdict::refused ? judgement.reason : "";
}

}  // namespace lease::admission
