#include "border_plan.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/deadline.h"
#include "base/resolve.h"
#include "doctor.h"
#include "kernel.h"
#include "kernel/connmark.h"
#include "kernel/conntrack.h"
#include "kernel/own_addresses.h"
#include "kernel/routes.h"

namespace asperaproxy::border_plan {
namespace {

using firewall::border::Plan;
using firewall::border::Side;
using Names = std::set<std::string>;

constexpr auto kNamesTime = std::chrono::seconds(5);  // for all names

std::vector<IpAddress> addresses_of(const std::string& host, const Deadline& deadline) {
  if (const auto ip = IpAddress::parse(host)) return {*ip};
  if (deadline.over()) return {};
  return resolve::addresses_of(host, AF_UNSPEC, std::chrono::duration_cast<std::chrono::milliseconds>(deadline.left()));
}

void add_route(Names& names, const IpAddress& address) {
  if (auto name = routes::interface_to(address)) names.insert(std::move(*name));
}

void add_servers(Names& names, const config::Rproxy& rproxy, std::vector<std::string>& left) {
  const auto deadline = Deadline::in(kNamesTime);
  Names asked;
  for (const auto& rule : rproxy.rules) {
    for (const auto& host : rule.hosts) {
      if (!asked.insert(host.host).second) continue;
      const auto addresses = addresses_of(host.host, deadline);
      for (const auto& address : addresses) add_route(names, address);
      if (addresses.empty())
        left.push_back(fmt::format("border: {} has no address now, so its network may be missing: asperaproxy "
                                   "reload when it has one",
                                   host.host));
    }
  }
}

void add_own(Names& names, const Network& network) { names.merge(routes::interfaces_with(network)); }

void add_own(Names& names, const IpAddress& address) { add_own(names, Network{address, address.is_v4() ? 32 : 128}); }

// A bridge or a tunnel is more likely the host's own, of containers or a VPN.
bool is_network(const std::string& name) {
  constexpr char kEthernet[] = "1\n";  // ARPHRD_ETHER; WireGuard's is another
  const auto has = [&](const char* what) {
    return ::access(fmt::format("/sys/class/net/{}/{}", name, what).c_str(), F_OK) == 0;
  };
  return !has("bridge") && !has("brport") && !has("tun_flags") &&
         doctor::read_file(fmt::format("/sys/class/net/{}/type", name)) == kEthernet;
}

void add_networks(Names& names) {
  for (const auto& name : routes::interfaces_with_addresses()) {
    if (is_network(name)) names.insert(name);
  }
}

// By which interfaces the proxy works, whatever family.
Names interfaces_of(const config::Config& config, std::vector<std::string>& left) {
  Names names = routes::default_interfaces(AF_INET);
  names.merge(routes::default_interfaces(AF_INET6));
  for (const auto& rule : config.rproxy.rules) {
    if (rule.host_ip) add_own(names, *rule.host_ip);
    if (rule.bind_source_address) add_own(names, *rule.bind_source_address);
  }
  add_servers(names, config.rproxy, left);
  if (config.proxy.enabled) {
    bool everywhere = false;
    for (const auto& listener : config.node.listeners) {
      const auto& address = listener.address ? listener.address : config.proxy.bind_ip_address;
      if (address) add_own(names, *address);
      else everywhere = true;
    }
    if (everywhere) add_networks(names);
    for (const auto& destination : config.proxy.allowed_destinations) {
      if (destination.network) add_route(names, destination.network->base);
    }
  }
  if (config.cluster.enabled) {
    for (const auto* name :
         {&config.cluster.outside.interface, &config.cluster.inside.interface, &config.cluster.sync_interface}) {
      if (!name->empty()) names.insert(*name);
    }
  }
  names.erase("lo");
  return names;
}

void complete(Side& side, bool forwards, const Names& named, const Side* before) {
  side.interfaces = named;
  side.strict = !forwards || (before && before->strict);
  // Also those that it had when forwarding was turned on.
  if (before && before->strict) side.interfaces.insert(before->interfaces.begin(), before->interfaces.end());
  if (!forwards) side.interfaces.merge(routes::all_interfaces());
}

bool is_own(const std::vector<Network>& own, const IpAddress& address) {
  return std::any_of(own.begin(), own.end(), [&](const Network& network) { return network.contains(address); });
}

// By which interfaces addresses are reached; each is asked for once.
using Ways = std::map<IpAddress, std::optional<std::string>>;

bool is_behind(const Side& side, const IpAddress& address, Ways& ways) {
  const auto [way, fresh] = ways.try_emplace(address);
  if (fresh) way->second = routes::interface_to(address);
  return way->second && side.interfaces.contains(*way->second);
}

}  // namespace

bool is_used(const config::Config& config) { return config.rproxy.enabled || config.proxy.enabled; }

Plan plan(const config::Config& config, std::vector<std::string>& left, Moment moment) {
  const auto before = firewall::border::recorded();
  const auto named = interfaces_of(config, left);
  Plan plan;
  const auto is_on = [&](int family) { return moment == Moment::later || forwards(family); };
  complete(plan.v4, is_on(AF_INET), named, before ? &before->v4 : nullptr);
  complete(plan.v6, is_on(AF_INET6), named, before ? &before->v6 : nullptr);
  Names all = plan.v4.interfaces;
  all.insert(plan.v6.interfaces.begin(), plan.v6.interfaces.end());
  for (const auto& name : all) {
    if (!firewall::border::can_name(name))
      left.push_back(fmt::format(
          "border: {} is not closed, since nft cannot write that name: asperaproxy reload when it has another", name));
  }
  return plan;
}

std::string shown(const Plan& plan) {
  const auto one = [](const char* family, const Side& side) {
    return fmt::format("{} between {}", family, fmt::join(side.interfaces, " and "));
  };
  if (plan.v4 == plan.v6) return one("IPv4 and IPv6", plan.v4);
  return one("IPv4", plan.v4) + ", " + one("IPv6", plan.v6);
}

std::vector<std::string> cut_by(const Plan& plan) {
  constexpr std::size_t kMost = 1000;
  constexpr std::size_t kMostAsked = 10000;  // addresses; a crowd would take long
  Ways ways;
  const auto own = own_addresses::read();
  const conntrack::Table table;
  std::set<std::string> found;
  for (const int family : {AF_INET, AF_INET6}) {
    const Side& side = family == AF_INET ? plan.v4 : plan.v6;
    for (const auto& flow : table.list_with_tcp(family, 0)) {
      if (found.size() == kMost || ways.size() > kMostAsked) break;
      if ((flow.mark & connmark::kSuite) != 0 || (flow.translated() && !side.strict)) continue;
      if (is_own(own, flow.client.ip) || is_own(own, flow.server.ip) || !is_behind(side, flow.client.ip, ways) ||
          !is_behind(side, flow.server.ip, ways))
        continue;
      found.insert(fmt::format("{} to {}", flow.client.ip.text(), flow.server.ip.text()));
    }
  }
  return {found.begin(), found.end()};
}

}  // namespace asperaproxy::border_plan
