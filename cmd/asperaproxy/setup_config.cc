#include "setup_config.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/cut.h"
#include "base/failure.h"
#include "base/paths.h"
#include "config/editing.h"
#include "who/file_access.h"

namespace asperaproxy::setup {
namespace {

using config::editing::Node;
using Way = std::vector<std::string>;

constexpr char kEmpty[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CONF version=\"2\">\n</CONF>\n";

// How far the way exists already.
const config::xml::Element& follow(const config::xml::Element& document, const Way& way, std::size_t& depth) {
  const auto* element = &document;
  for (depth = 0; depth < way.size(); ++depth) {
    const auto* const child = element->child(way[depth]);
    if (!child) break;
    element = child;
  }
  return *element;
}

void put(std::string& text, const Way& way, Node node) {
  const auto document = config::xml::parse(text, paths::kConfig);
  std::size_t depth = 0;
  const auto& parent = follow(document, way, depth);
  for (std::size_t i = way.size(); i-- > depth;) node = Node{way[i], "", {std::move(node)}, {}};
  config::editing::insert(text, document, parent, node);
}

void set(std::string& text, Way way, const std::string& value) {
  const auto document = config::xml::parse(text, paths::kConfig);
  std::size_t depth = 0;
  const auto& element = follow(document, way, depth);
  if (depth == way.size()) return config::editing::replace_body(text, element, value);
  const std::string name = way.back();
  way.pop_back();
  put(text, way, {name, value, {}, {}});
}

std::string key_of(const Answers& answers) {
  return answers.squash.empty() ? "/home/$(user)/.ssh/id_ed25519" : squash_key();
}

// Servers of the address's family; a name may have both.
std::vector<HostPort> servers_for(const IpAddress& address, const Answers& answers) {
  std::vector<HostPort> servers;
  for (const auto& server : answers.servers) {
    const auto ip = IpAddress::parse(server.host);
    if (!ip || ip->is_v4() == address.is_v4()) servers.push_back(server);
  }
  if (servers.empty())
    throw tool::Failure(tool::usage, fmt::format("no server has an address of the family of {}", address.text()));
  return servers;
}

Node rule(const IpAddress& address, const Answers& answers) {
  Node rule{"rule", "", {}, {{"host_ip", address.text()}}};
  const auto servers = servers_for(address, answers);
  if (servers.size() == 1) {
    rule.children.push_back({"host", servers[0].text(), {}, {}});
  } else {
    Node hosts{"hosts", "", {}, {}};
    for (const auto& server : servers) hosts.children.push_back({"host", server.text(), {}, {}});
    rule.children.push_back(std::move(hosts));
  }
  if (!answers.squash.empty()) rule.children.push_back({"squash_user", answers.squash, {}, {}});
  rule.children.push_back({"keyfile", key_of(answers), {}, {}});
  return rule;
}

// The first rule that the address would meet.
const config::Rule* rule_for(const config::Rproxy& rproxy, const IpAddress& address) {
  const auto found = std::find_if(rproxy.rules.begin(), rproxy.rules.end(), [&](const config::Rule& one) {
    return !one.host_ip || one.host_ip->contains(address);
  });
  return found == rproxy.rules.end() ? nullptr : &*found;
}

void require_same(const config::Rule& rule, const IpAddress& address, const Answers& answers) {
  if (rule.hosts == servers_for(address, answers) && rule.squash_user == answers.squash) return;
  throw tool::Failure(
      tool::config,
      fmt::format("{}:{} has another rule for {}: change it there, or give --server and --squash as it has them",
                  paths::kConfig, rule.line, address.text()));
}

void configure_reverse(std::string& text, const config::Config& before, const Answers& answers) {
  for (const auto& address : answers.addresses) {
    if (const auto* const found = rule_for(before.rproxy, address)) require_same(*found, address, answers);
    else put(text, {"server", "rproxy", "rules"}, rule(address, answers));
  }
  if (!before.rproxy.enabled) set(text, {"server", "rproxy", "enabled"}, "true");
}

// A client that is gone without a word loses its lease after three minutes.
constexpr std::pair<const char*, const char*> kTimes[] = {
    {"keepalive_interval", "60"}, {"session_timeout", "180"}, {"cleanup_interval", "10"}};

void configure_forward(std::string& text, const config::Config& before, const Answers& answers) {
  const auto& proxy = before.proxy;
  const std::string list = fmt::format("{}", fmt::join(answers.destinations, " "));
  const auto wanted = config::destination::parse_list(list).value_or(std::vector<config::Destination>{});
  const bool other_place = proxy.bind_ip_address && proxy.bind_ip_address != answers.inside;
  if (other_place || (!proxy.allowed_destinations.empty() && proxy.allowed_destinations != wanted))
    throw tool::Failure(
        tool::config,
        fmt::format("{} has another {} of its own: change it there, or give --{} as it has it", paths::kConfig,
                    other_place ? "bind_ip_address" : "allowed_destinations", other_place ? "inside" : "destinations"));
  if (!proxy.enabled) set(text, {"server", "proxy", "enabled"}, "true");
  if (!proxy.bind_ip_address) set(text, {"server", "proxy", "bind_ip_address"}, answers.inside->text());
  if (proxy.keepalive_interval.count() == 0 && proxy.session_timeout.count() == 0) {
    for (const auto& [name, value] : kTimes) set(text, {"server", "proxy", name}, value);
  }
  if (!wanted.empty() && proxy.allowed_destinations.empty())
    set(text, {"server", "proxy", "allowed_destinations"}, list);
}

Node docroot(const std::string& place) {
  Node path{"path", "", {{"absolute", place, {}, {}}}, {}};
  for (const char* const right : {"read_allowed", "write_allowed", "dir_allowed"})
    path.children.push_back({right, "true", {}, {}});
  Node node{"paths", "", {std::move(path)}, {}};
  for (const char* const name : {"access", "file_system"}) node = Node{name, "", {std::move(node)}, {}};
  return {"group", "", {{"name", paths::kGroup, {}, {}}, std::move(node)}, {}};
}

// For the group, and not for all: an administrator with a shell needs no docroot.
void configure_node(std::string& text, const Answers& answers) {
  const auto document = config::xml::parse(text, paths::kConfig);
  const std::string place = answers.docroot + "/$(name)";
  for (const auto* group : file_access::all_groups(document)) {
    if (file_access::name_of(*group) != paths::kGroup) continue;
    std::size_t depth = 0;
    const auto& element = follow(*group, {"file_system", "access", "paths", "path", "absolute"}, depth);
    if (depth == 5 && cut::trimmed(element.text) == place) return;
    throw tool::Failure(tool::config, fmt::format("{}:{} has settings of its own for the group {}: change them there",
                                                  paths::kConfig, group->position.line, paths::kGroup));
  }
  put(text, {"aaa", "realms", "realm", "groups"}, docroot(place));
}

}  // namespace

std::string squash_key() { return fmt::format("{}/etc/ssh_keys/id_ed25519", paths::kPrefix); }

std::string configured(std::string text, const Answers& answers) {
  if (text.empty()) text = kEmpty;
  const auto before = config::parse(text, paths::kConfig);
  const bool fresh = answers.original.empty();
  if (fresh && answers.reverse()) configure_reverse(text, before, answers);
  if (fresh && answers.forward()) configure_forward(text, before, answers);
  if (fresh && answers.node()) configure_node(text, answers);
  if (answers.border != Border::undecided && before.border != (answers.border == Border::yes))
    set(text, {"server", "border"}, answers.border == Border::yes ? "true" : "false");
  config::parse(text, paths::kConfig);  // an element of ours may be in another section of the same name
  return text;
}

}  // namespace asperaproxy::setup
