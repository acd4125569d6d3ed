#include "session/rules.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/failure.h"
#include "config/config.h"

namespace session::rules {
namespace {

using config::Rule;

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string join(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ",") + name;
  return out;
}

std::string network_text(const Network& network) { return fmt::format("{}/{}", network.base.text(), network.prefix); }

// The reason why `rule` does not match; empty when it does.
std::string address_mismatch(const Rule& rule, const Request& request) {
  if (!rule.host_ip || rule.host_ip->contains(request.proxy.ip)) return {};
  return fmt::format("host_ip {} does not contain {}", network_text(*rule.host_ip), request.proxy.ip.text());
}

std::string domain_mismatch(const Rule& rule, const Request& request) {
  if (!rule.host_domain) return {};
  if (!request.domain) return fmt::format("host_domain {}: the client named no host", rule.host_domain->text());
  // If the client asked for a name without a port, the port is the one that it connected to.
  const Port asked = request.domain->port ? request.domain->port : request.proxy.port;
  const bool same_port = rule.host_domain->port == 0 || rule.host_domain->port == asked;
  if (rule.host_domain->host == request.domain->host && same_port) return {};
  return fmt::format("host_domain {} is not {}:{}", rule.host_domain->text(), request.domain->host, asked);
}

std::string user_mismatch(const Rule& rule, const std::string& user, const Facts& facts) {
  if (rule.users.empty() && rule.groups.empty()) return {};
  if (contains(rule.users, user)) return {};
  if (!rule.groups.empty()) {
    for (const auto& group : facts.groups_of(user)) {
      if (contains(rule.groups, group)) return {};
    }
  }
  return fmt::format("{} is not among users {} or groups {}", user, rule.users.empty() ? "-" : join(rule.users),
                     rule.groups.empty() ? "-" : join(rule.groups));
}

std::string mismatch(const Rule& rule, const Request& request, const Facts& facts) {
  if (auto why = address_mismatch(rule, request); !why.empty()) return why;
  if (auto why = domain_mismatch(rule, request); !why.empty()) return why;
  return user_mismatch(rule, request.user, facts);
}

std::string reasons(const Rule& rule, const Request& request) {
  std::string out;
  const auto add = [&](const std::string& reason) { out += (out.empty() ? "" : ", ") + reason; };
  if (rule.host_ip) add(fmt::format("host_ip {} contains {}", network_text(*rule.host_ip), request.proxy.ip.text()));
  if (rule.host_domain) add(fmt::format("host_domain {} is {}", rule.host_domain->text(), request.domain->text()));
  if (!rule.users.empty() || !rule.groups.empty()) add(request.user + " may use it");
  return out.empty() ? "no conditions" : out;
}

bool is_other_family(const HostPort& host, const IpAddress& client) {
  const auto ip = IpAddress::parse(host.host);
  return ip && ip->family() != client.family();
}

[[noreturn]] void fail_mixed(const Rule& rule, const IpAddress& client, const std::string& what,
                             const IpAddress& other) {
  throw tool::Failure(
      tool::config,
      fmt::format("rule {} (line {}): client {} comes by {}, but {} is {}: the UDP cannot be translated between them",
                  rule.number, rule.line, client.text(), client.family_name(), what, other.family_name()));
}

// The hosts that can serve the client; Failure{78} when there are none.
std::vector<HostPort> hosts_for(const Rule& rule, const Request& request, const Facts& facts) {
  const IpAddress& client = request.client.ip;
  std::vector<HostPort> fit;
  std::vector<std::string> others;
  for (const auto& host : rule.hosts) {
    if (is_other_family(host, client)) others.push_back(host.text());
    else fit.push_back(host);
  }
  if (fit.empty()) {
    if (!request.udp) return rule.hosts;
    fail_mixed(rule, client, join(others), *IpAddress::parse(rule.hosts.front().host));
  }
  const auto& bind = rule.bind_source_address;
  if (request.udp && bind && bind->family() != client.family()) {
    fail_mixed(rule, client, "bind_source_address " + bind->text(), *bind);
  }
  if (!others.empty() && facts.explain) {
    facts.explain(fmt::format("rule {} (line {}): without {}: the client comes by {}", rule.number, rule.line,
                              join(others), client.family_name()));
  }
  return fit;
}

Route route_of(const config::Rproxy& rproxy, const Rule& rule, std::vector<HostPort> hosts, const std::string& user) {
  Route route;
  route.rule = rule.number;
  route.upstream_user = rule.squash_user.empty() ? user : rule.squash_user;
  route.keyfile = expand_user(rule.keyfile, user);
  route.hosts = std::move(hosts);
  // Windows servers take a port per transfer: then every port is kept, as with
  // proxy_port 0 (guide, "Issues with source port filtering turned off …").
  route.proxy_port = rule.udp_port_reuse ? rule.proxy_port : 0;
  route.udp_port = route.proxy_port == 0 ? 0 : rule.udp_port.value_or(rule.proxy_port);
  route.udp_port_range = rule.udp_port_range;
  route.src_port_filtering = rule.src_port_filtering;
  route.udp_linger = rule.udp_linger;
  route.connect_timeout = rule.connect_timeout;
  route.known_hosts = rproxy.known_hosts;
  route.bind_source_address = rule.bind_source_address;
  route.forwarding = rule.forwarding;
  route.faulty_interval = rule.faulty_interval;
  route.upstream_reuse = rule.upstream_reuse;
  route.old_algorithms = rule.old_algorithms;
  route.keyfile_of_user = route.keyfile != rule.keyfile;
  return route;
}

}  // namespace

std::optional<Route> first_match(const config::Rproxy& rproxy, const Request& request, const Facts& facts) {
  const auto explain = [&](const std::string& line) {
    if (facts.explain) facts.explain(line);
  };
  if (!rproxy.enabled) {
    explain("the reverse proxy is off: <rproxy><enabled> is not true");
    return std::nullopt;
  }
  for (const auto& rule : rproxy.rules) {
    const std::string why = mismatch(rule, request, facts);
    if (!why.empty()) {
      explain(fmt::format("rule {} (line {}): no: {}", rule.number, rule.line, why));
      continue;
    }
    explain(fmt::format("rule {} (line {}): match: {}", rule.number, rule.line, reasons(rule, request)));
    return route_of(rproxy, rule, hosts_for(rule, request, facts), request.user);
  }
  explain(rproxy.rules.empty() ? "there are no rules" : "no rule matches");
  return std::nullopt;
}

bool is_for(const config::Rule& rule, const std::string& user, const Facts& facts) {
  return user_mismatch(rule, user, facts).empty();
}

Route route_for(const config::Rproxy& rproxy, const config::Rule& rule, const std::string& user) {
  return route_of(rproxy, rule, rule.hosts, user);
}

std::string hint(const config::Rproxy& rproxy, const Request& request) {
  const bool known = std::any_of(rproxy.rules.begin(), rproxy.rules.end(),
                                 [&](const Rule& rule) { return address_mismatch(rule, request).empty(); });
  if (!rproxy.enabled || rproxy.rules.empty() || known) return "";
  if (request.client.ip.is_loopback())
    return "; the client is this host itself, as when something here (sslh, HAProxy) passes its connection on";
  return "; no rule has that address: a REDIRECT in a firewall leads to the first address of the interface; DNAT can "
         "lead to a rule's";
}

bool depends_on_domain(const config::Rproxy& rproxy, const Request& request, const Facts& facts) {
  if (!rproxy.enabled) return false;
  for (const auto& rule : rproxy.rules) {
    if (!address_mismatch(rule, request).empty() || !user_mismatch(rule, request.user, facts).empty()) continue;
    return rule.host_domain.has_value();
  }
  return false;
}

std::string expand_user(const std::string& path, const std::string& user) {
  std::string out = path;
  for (const std::string_view variable : {"$(user)", "$(name)"}) {
    for (auto at = out.find(variable); at != out.npos; at = out.find(variable, at + user.size())) {
      out.replace(at, variable.size(), user);
    }
  }
  return out;
}

}  // namespace session::rules
