#include "config.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <concepts>
#include <limits>

#include <fmt/core.h>

#include "config_schema.h"
#include "config_value.h"
#include "config_xml.h"
#include "fd.h"
#include "io.h"
#include "paths.h"
#include "tool.h"

namespace config {
namespace {

using config_schema::fail;
using config_xml::Element;
constexpr Port kSshPort = 22;

// The values below have passed config_schema::check, so that each is what its
// type wants, or empty, which means the default.
void convert(const std::string& text, bool& into) { into = config_value::boolean(text).value(); }
void convert(const std::string& text, std::string& into) { into = text; }
void convert(const std::string& text, std::optional<IpAddress>& into) { into = IpAddress::parse(text); }
void convert(const std::string& text, std::optional<Network>& into) { into = Network::parse(text); }
void convert(const std::string& text, std::optional<HostPort>& into) { into = HostPort::parse(text); }
void convert(const std::string& text, std::optional<Port>& into) { into = parse_port(text); }
void convert(const std::string& text, PortRange& into) { into = PortRange::parse(text).value(); }
void convert(const std::string& text, std::vector<std::string>& into) { into = config_value::names(text); }
void convert(const std::string& text, std::vector<Destination>& into) { into = destination::parse_list(text).value(); }
void convert(const std::string& text, std::vector<Network>& into) { into = config_value::own_addresses(text); }
void convert(const std::string& text, std::vector<Endpoint>& into) { into = config_value::endpoints(text); }
void convert(const std::string& text, Forwarding& into) { into = text == "nftables" ? Forwarding::nftables : Forwarding::iptables; }

long whole(const std::string& text) { return parse_decimal(text, 0, std::numeric_limits<long>::max()).value(); }
void convert(const std::string& text, std::chrono::milliseconds& into) { into = std::chrono::milliseconds(whole(text)); }
void convert(const std::string& text, std::chrono::seconds& into) { into = std::chrono::seconds(whole(text)); }
template <std::integral T>
void convert(const std::string& text, T& into) { into = static_cast<T>(whole(text)); }

template <typename T>
void take(const Element& parent, std::string_view name, T& into) {
  const Element* element = parent.child(name);
  if (element && !element->text.empty()) convert(element->text, into);
}

template <typename T>
void take_attribute(const Element& element, std::string_view name, T& into) {
  for (const auto& [each, value] : element.attributes) {
    if (each == name) convert(value, into);
  }
}

// 0.0.0.0 or ::
bool is_any(const IpAddress& ip) { return std::all_of(ip.bytes(), ip.bytes() + (ip.is_v4() ? 4 : 16), [](std::uint8_t byte) { return byte == 0; }); }

HostPort to_host(const Element& element) {
  HostPort host = HostPort::parse(element.text).value();
  if (host.port == 0) host.port = kSshPort;
  return host;
}

bool given(const Element* element) { return element && (!element->text.empty() || !element->children.empty()); }

void read_hosts(const std::string& file, const Element& element, Rule& rule) {
  const Element* host = element.child("host");
  const Element* hosts = element.child("hosts");
  if (given(host) && given(hosts)) fail(file, *hosts, "host and hosts together; keep one");
  if (given(host)) rule.hosts.push_back(to_host(*host));
  rule.balanced = given(hosts);
  if (!rule.balanced) return;
  for (const auto& child : hosts->children) rule.hosts.push_back(to_host(child));
}

// What no single element shows.
void check_rule(const std::string& file, const Element& element, const Rule& rule, bool complete) {
  if (complete && rule.hosts.empty()) fail(file, element, "needs a <host> (or <hosts>)");
  if (complete && rule.keyfile.empty()) fail(file, element, "needs a <keyfile>");
  if (rule.udp_port && (rule.proxy_port == 0 || !rule.udp_port_reuse)) {
    fail(file, *element.child("udp_port"), "has no effect when ports are kept (proxy_port 0, or udp_port_reuse false); delete it");
  }
  for (const auto& host : rule.hosts) {
    const auto ip = IpAddress::parse(host.host);
    if (rule.bind_source_address && ip && ip->family() != rule.bind_source_address->family()) {
      fail(file, *element.child("bind_source_address"), fmt::format("cannot reach {}: one is IPv4, the other IPv6", host.text()));
    }
  }
}

Rule read_rule(const std::string& file, const Element& element, int number, bool complete) {
  Rule rule;
  rule.number = number;
  rule.line = element.position.line;
  take_attribute(element, "host_ip", rule.host_ip);
  take_attribute(element, "host_domain", rule.host_domain);
  read_hosts(file, element, rule);
  take(element, "squash_user", rule.squash_user);
  take(element, "keyfile", rule.keyfile);
  take(element, "proxy_port", rule.proxy_port);
  take(element, "udp_port", rule.udp_port);
  take(element, "udp_port_range", rule.udp_port_range);
  take(element, "src_port_filtering", rule.src_port_filtering);
  take(element, "source_port_filtering", rule.src_port_filtering);  // the guide's chapter "Troubleshooting" spells it so
  take(element, "udp_port_reuse", rule.udp_port_reuse);
  take(element, "udp_linger", rule.udp_linger);
  take(element, "bind_source_address", rule.bind_source_address);
  take(element, "forwarding_type", rule.forwarding);
  take(element, "users", rule.users);
  take(element, "groups", rule.groups);
  take(element, "faulty_interval", rule.faulty_interval);
  take(element, "connect_timeout", rule.connect_timeout);
  take(element, "max_sessions", rule.max_sessions);
  take(element, "upstream_reuse", rule.upstream_reuse);
  check_rule(file, element, rule, complete);
  return rule;
}

Rproxy read_rproxy(const std::string& file, const Element& element) {
  Rproxy rproxy;
  rproxy.known_hosts = paths::kKnownHosts;
  take(element, "enabled", rproxy.enabled);
  take(element, "log_level", rproxy.log_level);
  take(element, "log_directory", rproxy.log_directory);
  take(element, "known_hosts", rproxy.known_hosts);
  take(element, "max_sessions", rproxy.max_sessions);
  const Element* rules = element.child("rules");
  if (!rules) return rproxy;
  rproxy.rules.reserve(rules->children.size());
  for (const auto& child : rules->children) {
    const int number = static_cast<int>(rproxy.rules.size()) + 1;
    rproxy.rules.push_back(read_rule(file, child, number, rproxy.enabled));
  }
  return rproxy;
}

Proxy read_proxy(const std::string& file, const Element& element) {
  Proxy proxy;
  take(element, "enabled", proxy.enabled);
  take(element, "authentication", proxy.authentication);
  take(element, "bind_ip_address", proxy.bind_ip_address);
  if (proxy.bind_ip_address && is_any(*proxy.bind_ip_address)) proxy.bind_ip_address.reset();
  std::string mask;
  take(element, "bind_ip_netmask", mask);
  proxy.netmask = config_value::netmask(mask);
  take(element, "port_range_low", proxy.port_range_low);
  take(element, "port_range_high", proxy.port_range_high);
  if (proxy.port_range_low > proxy.port_range_high) {
    fail(file, element, fmt::format("port_range_low {} is above port_range_high {}", proxy.port_range_low, proxy.port_range_high));
  }
  take(element, "cleanup_interval", proxy.cleanup_interval);
  take(element, "keepalive_interval", proxy.keepalive_interval);
  take(element, "session_timeout", proxy.session_timeout);
  take(element, "allowed_destinations", proxy.allowed_destinations);
  take(element, "denied_destinations", proxy.denied_destinations);
  take(element, "max_leases_per_user", proxy.max_leases_per_user);
  return proxy;
}

Node read_node(const Element& server) {
  Node node;
  Port http = 9091;
  Port https = 9092;
  bool enable_http = false;
  bool enable_https = true;
  take(server, "http_port", http);
  take(server, "https_port", https);
  take(server, "enable_http", enable_http);
  take(server, "enable_https", enable_https);
  std::string listen;
  take(server, "listen", listen);
  for (const auto& one : config_value::listen(listen)) node.listeners.push_back({one.address, one.port, one.tls});
  if (listen.empty() && enable_http) node.listeners.push_back({{}, http, false});
  if (listen.empty() && enable_https) node.listeners.push_back({{}, https, true});
  take(server, "cert_file", node.cert_file);
  take(server, "key_file", node.key_file);
  take(server, "chain_file", node.chain_file);
  take(server, "iptables_path", node.iptables_path);
  return node;
}

void check_nodes(const std::string& file, const Element& element, const std::vector<ClusterNode>& nodes) {
  constexpr std::size_t kMaxNodes = 16;
  if (nodes.size() < 2 || nodes.size() > kMaxNodes) fail(file, element, fmt::format("needs 2 to {} <node>, and has {}", kMaxNodes, nodes.size()));
  for (auto node = nodes.begin(); node != nodes.end(); ++node) {
    if (node->name.empty()) fail(file, element, fmt::format("the node {} needs a name, as uname -n prints it there", node->address.text()));
    for (auto other = nodes.begin(); other != node; ++other) {
      if (other->name == node->name) fail(file, element, fmt::format("two nodes are called {}", node->name));
      if (other->address == node->address) fail(file, element, fmt::format("two nodes have the address {}", node->address.text()));
      if (other->address.family() != node->address.family()) fail(file, element, "the nodes' addresses must be of one family");
    }
  }
}

// VRRP announces this many at most in one packet, less than keepalived would take.
void check_shared(const std::string& file, const Element& element, const char* where, const Shared& shared) {
  constexpr std::size_t kMaxShared = 20;
  if (shared.interface.empty() != shared.addresses.empty()) fail(file, element, fmt::format("{0}_interface and {0}_addresses belong together", where));
  if (shared.addresses.size() > kMaxShared) fail(file, element, fmt::format("more than {} {}_addresses", kMaxShared, where));
}

Cluster read_cluster(const std::string& file, const Element& element) {
  Cluster cluster;
  take(element, "enabled", cluster.enabled);
  if (const Element* nodes = element.child("nodes")) {
    for (const auto& child : nodes->children) {
      ClusterNode node{{}, IpAddress::parse(child.text).value()};
      take_attribute(child, "name", node.name);
      cluster.nodes.push_back(std::move(node));
    }
  }
  take(element, "outside_interface", cluster.outside.interface);
  take(element, "outside_addresses", cluster.outside.addresses);
  take(element, "inside_interface", cluster.inside.interface);
  take(element, "inside_addresses", cluster.inside.addresses);
  take(element, "sync_interface", cluster.sync_interface);
  take(element, "router_id", cluster.router_id);
  take(element, "advertisement_interval", cluster.advertisement_interval);
  take(element, "redis", cluster.redis);
  take(element, "sentinels", cluster.sentinels);
  take(element, "redis_password_file", cluster.redis_password_file);
  if (!cluster.enabled) return cluster;
  check_nodes(file, element, cluster.nodes);
  check_shared(file, element, "outside", cluster.outside);
  check_shared(file, element, "inside", cluster.inside);
  if (cluster.sync_interface.empty()) fail(file, element, "needs a <sync_interface>");
  if (!cluster.sentinels.empty() && cluster.redis.empty()) fail(file, element, "<sentinels> without <redis>");
  return cluster;
}

std::vector<Command> read_commands(const Element& element) {
  std::vector<Command> commands;
  for (const auto& child : element.children) {
    Command command{child.text, true};
    take_attribute(child, "udp", command.udp);
    commands.push_back(std::move(command));
  }
  return commands;
}

Config read_document(const Element& document, const std::string& file) {
  config_schema::check(document, file);
  Config parsed;
  parsed.rproxy.known_hosts = paths::kKnownHosts;
  for (const auto* element : config_schema::find(document, {"server", "rproxy"})) parsed.rproxy = read_rproxy(file, *element);
  parsed.node = read_node(Element{});
  for (const auto* element : config_schema::find(document, {"server"})) parsed.node = read_node(*element);
  for (const auto* element : config_schema::find(document, {"server", "proxy"})) parsed.proxy = read_proxy(file, *element);
  for (const auto* element : config_schema::find(document, {"server", "cluster"})) parsed.cluster = read_cluster(file, *element);
  for (const auto* element : config_schema::find(document, {"default", "aspshell_commands"})) {
    parsed.aspshell_commands = read_commands(*element);
  }
  return parsed;
}

std::string read_file(const std::string& path, Author author) {
  const Fd opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!opened) tool::fail_errno(tool::config, "open " + path);
  struct stat status{};
  if (::fstat(opened.get(), &status) != 0) tool::fail_errno(tool::os, "fstat " + path);
  if (!S_ISREG(status.st_mode)) throw tool::Failure(tool::config, path + ": not a regular file");
  if (author == Author::root && (status.st_uid != 0 || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)) {
    throw tool::Failure(tool::config, path + ": must belong to root and be writable by root alone");
  }
  if (status.st_size > static_cast<off_t>(config_xml::kMaxBytes)) {
    throw tool::Failure(tool::config, fmt::format("{}: larger than {} bytes", path, config_xml::kMaxBytes));
  }
  return io::read_all(opened.get(), config_xml::kMaxBytes, path);
}

}  // namespace

const ClusterNode* Cluster::node(std::string_view name) const {
  const auto found = std::find_if(nodes.begin(), nodes.end(), [&](const ClusterNode& each) { return each.name == name; });
  return found == nodes.end() ? nullptr : &*found;
}

Config parse(std::string_view text, const std::string& file) { return read_document(config_xml::parse(text, file), file); }

Config load(const std::string& path, Author author) { return parse(read_file(path, author), path); }

Element load_document(const std::string& path, Author author) {
  Element document = config_xml::parse(read_file(path, author), path);
  read_document(document, path);
  return document;
}

}  // namespace config
