#include "advice.h"

#include <algorithm>

#include <fmt/core.h>

#include "config/schema.h"
#include "who/file_access.h"

namespace asuserdata {
namespace {

bool covers(const std::optional<Network>& wide, const std::optional<Network>& narrow) {
  if (!wide) return true;
  return narrow && wide->prefix <= narrow->prefix && wide->contains(narrow->base);
}

// True if everything that matches `below` has matched `above` already.
bool hides(const config::Rule& above, const config::Rule& below) {
  if (!covers(above.host_ip, below.host_ip)) return false;
  if (above.host_domain && (!below.host_domain || above.host_domain->host != below.host_domain->host ||
                            (above.host_domain->port != 0 && above.host_domain->port != below.host_domain->port))) {
    return false;
  }
  const bool for_all = above.users.empty() && above.groups.empty();
  return for_all || (above.users == below.users && above.groups == below.groups);
}

// True if every client that the rule matches is of another family than all its hosts.
bool serves_nobody(const config::Rule& rule) {
  if (!rule.host_ip || rule.hosts.empty()) return false;
  return std::all_of(rule.hosts.begin(), rule.hosts.end(), [&](const HostPort& host) {
    const auto ip = IpAddress::parse(host.host);
    return ip && ip->family() != rule.host_ip->base.family();
  });
}

const config::xml::Element* at(const config::xml::Element& section, const config::schema::Path& path) {
  return config::schema::first_given(config::schema::find(section, path));
}

}  // namespace

std::vector<Advice> docroot_advice(const config::xml::Element& document) {
  const auto* const enabled = at(document, {"server", "rproxy", "enabled"});
  const std::string standard = enabled && enabled->text == "true" ? "proxy" : "node";
  config::schema::Elements sections = config::schema::find(document, {"default"});
  const auto* const role_of_all = sections.empty() ? nullptr : at(*sections[0], {"file_system", "access", "role"});
  for (const auto& more : {file_access::all_groups(document), file_access::all_users(document)})
    sections.insert(sections.end(), more.begin(), more.end());
  std::vector<Advice> found;
  for (const auto* section : sections) {
    const auto* const docroot = at(*section, {"file_system", "access", "paths", "path", "absolute"});
    const auto* role = at(*section, {"file_system", "access", "role"});
    if (!role) role = role_of_all;
    if (docroot && (role ? role->text : standard) == "proxy")
      found.push_back({docroot->position.line,
                       "absolute: nothing on this host enforces the docroot: commands run on the internal server"});
  }
  return found;
}

std::vector<Advice> advice(const config::Rproxy& rproxy) {
  std::vector<Advice> found;
  if (rproxy.enabled && rproxy.rules.empty())
    found.push_back({1, "rproxy: is enabled but has no rule: no session will be taken"});
  for (const auto& rule : rproxy.rules) {
    if (!serves_nobody(rule)) continue;
    const IpAddress& base = rule.host_ip->base;
    found.push_back(
        {rule.line,
         fmt::format(
             "rule: serves no transfer: host_ip is {}, but every host is {}, and UDP cannot be translated between them",
             base.family_name(), base.is_v4() ? "IPv6" : "IPv4")});
  }
  for (auto below = rproxy.rules.begin(); below != rproxy.rules.end(); ++below) {
    for (auto above = rproxy.rules.begin(); above != below; ++above) {
      if (!hides(*above, *below)) continue;
      found.push_back({below->line, fmt::format("rule: can never match: the rule on line {} matches all that it would",
                                                above->line)});
      break;
    }
  }
  return found;
}

}  // namespace asuserdata
