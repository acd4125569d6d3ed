#include "config/config.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <concepts>
#include <limits>

#include <fmt/core.h>

#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/paths.h"
#include "base/root_only.h"
#include "config/schema.h"
#include "config/value.h"
#include "config/xml.h"

namespace config {
namespace {

using config::schema::fail;
using config::schema::Option;
using config::xml::Element;
constexpr Port kSshPort = 22;
constexpr int kHighestLogLevel = 2;  // the original has more

// The values below have passed config::schema::check, so each is what its type wants, or empty, which
// means the default.
void convert(const std::string& text, bool& into) { into = config::value::boolean(text).value(); }
void convert(const std::string& text, std::string& into) { into = text; }
void convert(const std::string& text, std::optional<IpAddress>& into) { into = IpAddress::parse(text); }
void convert(const std::string& text, std::optional<Network>& into) { into = Network::parse(text); }
void convert(const std::string& text, std::optional<HostPort>& into) { into = HostPort::parse(text); }
void convert(const std::string& text, std::optional<Port>& into) { into = parse_port(text); }
void convert(const std::string& text, PortRange& into) { into = PortRange::parse(text).value(); }
void convert(const std::string& text, std::vector<std::string>& into) { into = config::value::names(text); }
void convert(const std::string& text, std::vector<Destination>& into) {
  into = config::destination::parse_list(text).value();
}
void convert(const std::string& text, std::vector<Network>& into) { into = config::value::own_addresses(text); }
void convert(const std::string& text, std::vector<Endpoint>& into) { into = config::value::endpoints(text); }
void convert(const std::string& text, Forwarding& into) {
  into = text == "nftables" ? Forwarding::nftables : Forwarding::iptables;
}

long whole(const std::string& text) { return parse_decimal(text, 0, std::numeric_limits<long>::max()).value(); }
void convert(const std::string& text, std::chrono::milliseconds& into) {
  into = std::chrono::milliseconds(whole(text));
}
void convert(const std::string& text, std::chrono::seconds& into) { into = std::chrono::seconds(whole(text)); }
template <std::integral T>
void convert(const std::string& text, T& into) {
  into = static_cast<T>(whole(text));
}

// A section of the file, read by its row of the table of options. An option that is not given has the
// table's default. A name that the table lacks, and an option that nothing reads, is a mistake of
// ours; each parse looks for both.
class Section {
 public:
  // `elements` are all the places where the section stands; empty if it is not there.
  Section(const Option& row, std::vector<const Element*> elements) : row_(row), elements_(std::move(elements)) {}

  template <typename T>
  void take(std::string_view name, T& into) {
    const Option& option = *take_row(row_.child(name), name);
    const Element* given = first(option, [](const Element& each) { return !each.text.empty(); });
    const std::string text = given ? given->text : std::string(option.standard);
    if (!text.empty()) convert(text, into);
  }

  template <typename T>
  void take_attribute(std::string_view name, T& into) {
    const auto option = std::find_if(row_.attributes.begin(), row_.attributes.end(),
                                     [&](const Option& each) { return each.name == name; });
    take_row(option == row_.attributes.end() ? nullptr : &*option, name);
    std::string text(option->standard);
    for (const Element* element : elements_) {
      for (const auto& [each, value] : element->attributes) {
        if (each == name) text = value;
      }
    }
    if (!text.empty()) convert(text, into);
  }

  // A child that has children or repeats; nullptr when it is absent or empty.
  const Element* child(std::string_view name) {
    return first(*take_row(row_.child(name), name),
                 [](const Element& each) { return !each.text.empty() || !each.children.empty(); });
  }
  Section section(std::string_view name) {
    const Option* option = take_row(row_.child(name), name);
    return {*option, config::schema::at(elements_, {option})};
  }
  // All children of that name, one section each.
  std::vector<Section> sections(std::string_view name) {
    const Option* option = take_row(row_.child(name), name);
    std::vector<Section> found;
    for (const Element* element : config::schema::at(elements_, {option}))
      found.emplace_back(*option, Elements{element});
    return found;
  }

  // Where to report a mistake in the section. Only for a section that is in the file.
  const Element& element() const { return *elements_.back(); }

  void all_taken() const {
    for (const auto& all : {row_.children, row_.attributes}) {
      for (const auto& option : all) {
        if (std::find(taken_.begin(), taken_.end(), &option) == taken_.end())
          throw tool::Failure(tool::internal, fmt::format("nothing reads the option {} of {}", option.name, row_.name));
      }
    }
  }

 private:
  using Elements = std::vector<const Element*>;

  const Option* take_row(const Option* option, std::string_view name) {
    if (!option) throw tool::Failure(tool::internal, fmt::format("{} has no option {}", row_.name, name));
    taken_.push_back(option);
    return option;
  }

  template <typename Wanted>
  const Element* first(const Option& option, Wanted wanted) const {
    for (const Element* element : elements_) {
      for (const auto& each : element->children) {
        if (option.is_named(each.name) && wanted(each)) return &each;
      }
    }
    return nullptr;
  }

  const Option& row_;
  std::vector<const Element*> elements_;
  std::vector<const Option*> taken_;
};

// 0.0.0.0 or ::
bool is_any(const IpAddress& ip) {
  return std::all_of(ip.bytes(), ip.bytes() + (ip.is_v4() ? 4 : 16), [](std::uint8_t byte) { return byte == 0; });
}

HostPort to_host(const Element& element) {
  HostPort host = HostPort::parse(element.text).value();
  if (host.port == 0) host.port = kSshPort;
  return host;
}

void read_hosts(const std::string& file, Section& section, Rule& rule) {
  const Element* host = section.child("host");
  const Element* hosts = section.child("hosts");
  if (host && hosts) fail(file, *hosts, "host and hosts together; keep one");
  if (host) rule.hosts.push_back(to_host(*host));
  rule.balanced = hosts != nullptr;
  if (!rule.balanced) return;
  for (const auto& child : hosts->children) rule.hosts.push_back(to_host(child));
}

// Checks what no single element shows.
void check_rule(const std::string& file, const Element& element, const Rule& rule, bool complete) {
  if (complete && rule.hosts.empty()) fail(file, element, "needs a <host> (or <hosts>)");
  if (complete && rule.keyfile.empty()) fail(file, element, "needs a <keyfile>");
  if (rule.udp_port && (rule.proxy_port == 0 || !rule.udp_port_reuse)) {
    fail(file, *element.child("udp_port"),
         "has no effect when ports are kept (proxy_port 0, or udp_port_reuse false); delete it");
  }
  for (const auto& host : rule.hosts) {
    const auto ip = IpAddress::parse(host.host);
    if (rule.bind_source_address && ip && ip->family() != rule.bind_source_address->family()) {
      fail(file, *element.child("bind_source_address"),
           fmt::format("cannot reach {}: one is IPv4, the other IPv6", host.text()));
    }
  }
}

Rule read_rule(const std::string& file, Section section, int number, bool complete) {
  Rule rule;
  rule.number = number;
  rule.line = section.element().position.line;
  section.take_attribute("host_ip", rule.host_ip);
  section.take_attribute("host_domain", rule.host_domain);
  read_hosts(file, section, rule);
  std::string balancing;  // the only method there is
  section.take("balancing", balancing);
  section.take("squash_user", rule.squash_user);
  section.take("keyfile", rule.keyfile);
  section.take("proxy_port", rule.proxy_port);
  section.take("udp_port", rule.udp_port);
  section.take("udp_port_range", rule.udp_port_range);
  section.take("src_port_filtering", rule.src_port_filtering);
  section.take("udp_port_reuse", rule.udp_port_reuse);
  section.take("udp_linger", rule.udp_linger);
  section.take("udp_linger_limit", rule.udp_linger_limit);
  section.take("bind_source_address", rule.bind_source_address);
  section.take("forwarding_type", rule.forwarding);
  section.take("users", rule.users);
  section.take("groups", rule.groups);
  section.take("faulty_interval", rule.faulty_interval);
  section.take("connect_timeout", rule.connect_timeout);
  section.take("max_sessions", rule.max_sessions);
  section.take("upstream_reuse", rule.upstream_reuse);
  section.take("old_algorithms", rule.old_algorithms);
  section.all_taken();
  check_rule(file, section.element(), rule, complete);
  return rule;
}

Rproxy read_rproxy(const std::string& file, Section section) {
  Rproxy rproxy;
  section.take("enabled", rproxy.enabled);
  section.take("log_level", rproxy.log_level);
  rproxy.log_level = std::min(rproxy.log_level, kHighestLogLevel);
  section.take("log_directory", rproxy.log_directory);
  section.take("known_hosts", rproxy.known_hosts);
  section.take("max_sessions", rproxy.max_sessions);
  section.take("max_sessions_per_user", rproxy.max_sessions_per_user);
  section.take("iptables_sessions", rproxy.iptables_sessions);
  const auto rules = section.section("rules").sections("rule");
  section.all_taken();
  rproxy.rules.reserve(rules.size());
  for (const auto& rule : rules) {
    const int number = static_cast<int>(rproxy.rules.size()) + 1;
    rproxy.rules.push_back(read_rule(file, rule, number, rproxy.enabled));
  }
  return rproxy;
}

Proxy read_proxy(const std::string& file, Section section) {
  Proxy proxy;
  section.take("enabled", proxy.enabled);
  section.take("authentication", proxy.authentication);
  section.take("bind_ip_address", proxy.bind_ip_address);
  if (proxy.bind_ip_address && is_any(*proxy.bind_ip_address)) proxy.bind_ip_address.reset();
  std::string mask;
  section.take("bind_ip_netmask", mask);
  proxy.netmask = config::value::netmask(mask);
  if (proxy.netmask && proxy.bind_ip_address && !proxy.bind_ip_address->is_v4())
    fail(file, section.element(), "bind_ip_netmask is of IPv4, but bind_ip_address of IPv6");
  section.take("port_range_low", proxy.port_range_low);
  section.take("port_range_high", proxy.port_range_high);
  if (proxy.port_range_low > proxy.port_range_high) {
    fail(file, section.element(),
         fmt::format("port_range_low {} is above port_range_high {}", proxy.port_range_low, proxy.port_range_high));
  }
  section.take("cleanup_interval", proxy.cleanup_interval);
  section.take("keepalive_interval", proxy.keepalive_interval);
  section.take("session_timeout", proxy.session_timeout);
  section.take("allowed_destinations", proxy.allowed_destinations);
  section.take("denied_destinations", proxy.denied_destinations);
  section.take("max_leases_per_user", proxy.max_leases_per_user);
  section.all_taken();
  return proxy;
}

Node read_node(Section& server) {
  Node node;
  Port http = 0;
  Port https = 0;
  bool enable_http = false;
  bool enable_https = false;
  server.take("http_port", http);
  server.take("https_port", https);
  server.take("enable_http", enable_http);
  server.take("enable_https", enable_https);
  std::string listen;
  server.take("listen", listen);
  for (const auto& one : config::value::listen(listen)) node.listeners.push_back({one.address, one.port, one.tls});
  if (listen.empty() && enable_http) node.listeners.push_back({{}, http, false});
  if (listen.empty() && enable_https) node.listeners.push_back({{}, https, true});
  server.take("cert_file", node.cert_file);
  server.take("key_file", node.key_file);
  server.take("chain_file", node.chain_file);
  server.take("iptables_path", node.iptables_path);
  return node;
}

void check_nodes(const std::string& file, const Element& element, const std::vector<ClusterNode>& nodes) {
  constexpr std::size_t kMaxNodes = 16;
  if (nodes.size() < 2 || nodes.size() > kMaxNodes)
    fail(file, element, fmt::format("needs 2 to {} <node>, and has {}", kMaxNodes, nodes.size()));
  for (auto node = nodes.begin(); node != nodes.end(); ++node) {
    if (node->name.empty())
      fail(file, element, fmt::format("the node {} needs a name, as uname -n prints it there", node->address.text()));
    for (auto other = nodes.begin(); other != node; ++other) {
      if (other->name == node->name) fail(file, element, fmt::format("two nodes are called {}", node->name));
      if (other->address == node->address)
        fail(file, element, fmt::format("two nodes have the address {}", node->address.text()));
      if (other->address.family() != node->address.family())
        fail(file, element, "the nodes' addresses must be of one family");
    }
  }
}

// VRRP announces at most this many addresses in one packet; keepalived would accept more.
void check_shared(const std::string& file, const Element& element, const char* where, const Shared& shared) {
  constexpr std::size_t kMaxShared = 20;
  if (shared.interface.empty() != shared.addresses.empty())
    fail(file, element, fmt::format("{0}_interface and {0}_addresses belong together", where));
  if (shared.addresses.size() > kMaxShared)
    fail(file, element, fmt::format("more than {} {}_addresses", kMaxShared, where));
}

Cluster read_cluster(const std::string& file, Section section) {
  Cluster cluster;
  section.take("enabled", cluster.enabled);
  for (auto& child : section.section("nodes").sections("node")) {
    ClusterNode node{{}, IpAddress::parse(child.element().text).value()};
    child.take_attribute("name", node.name);
    cluster.nodes.push_back(std::move(node));
  }
  section.take("outside_interface", cluster.outside.interface);
  section.take("outside_addresses", cluster.outside.addresses);
  section.take("inside_interface", cluster.inside.interface);
  section.take("inside_addresses", cluster.inside.addresses);
  section.take("sync_interface", cluster.sync_interface);
  section.take("router_id", cluster.router_id);
  section.take("advertisement_interval", cluster.advertisement_interval);
  section.take("redis", cluster.redis);
  section.take("sentinels", cluster.sentinels);
  section.take("redis_password_file", cluster.redis_password_file);
  section.all_taken();
  if (!cluster.enabled) return cluster;
  check_nodes(file, section.element(), cluster.nodes);
  check_shared(file, section.element(), "outside", cluster.outside);
  check_shared(file, section.element(), "inside", cluster.inside);
  if (cluster.sync_interface.empty()) fail(file, section.element(), "needs a <sync_interface>");
  if (!cluster.sentinels.empty() && cluster.redis.empty()) fail(file, section.element(), "<sentinels> without <redis>");
  return cluster;
}

std::vector<Command> read_commands(Section section) {
  std::vector<Command> commands;
  for (auto& child : section.sections("command")) {
    Command command{child.element().text, true};
    child.take_attribute("udp", command.udp);
    commands.push_back(std::move(command));
  }
  return commands;
}

Config read_document(const Element& document, const std::string& file) {
  config::schema::check(document, file);
  Section root(config::schema::root(), {&document});
  Section server = root.section("server");
  Config parsed;
  server.take("border", parsed.border);
  server.take("max_flows_per_client", parsed.max_flows_per_client);
  parsed.rproxy = read_rproxy(file, server.section("rproxy"));
  parsed.proxy = read_proxy(file, server.section("proxy"));
  parsed.cluster = read_cluster(file, server.section("cluster"));
  parsed.node = read_node(server);
  server.all_taken();
  parsed.aspshell_commands = read_commands(root.section("default").section("aspshell_commands"));
  return parsed;
}

std::string read_file(const std::string& path, Author author) {
  const Fd opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!opened) tool::fail_errno(tool::config, "open " + path);
  struct stat status {};
  if (::fstat(opened.get(), &status) != 0) tool::fail_errno(tool::os, "fstat " + path);
  if (!S_ISREG(status.st_mode)) throw tool::Failure(tool::config, path + ": not a regular file");
  if (author == Author::root && !root_only::is(status)) {
    throw tool::Failure(tool::config, path + ": must belong to root and be writable by root alone");
  }
  if (status.st_size > static_cast<off_t>(config::xml::kMaxBytes)) {
    throw tool::Failure(tool::config, fmt::format("{}: larger than {} bytes", path, config::xml::kMaxBytes));
  }
  return io::read_all(opened.get(), config::xml::kMaxBytes, path);
}

}  // namespace

const ClusterNode* Cluster::node(std::string_view name) const {
  const auto found =
      std::find_if(nodes.begin(), nodes.end(), [&](const ClusterNode& each) { return each.name == name; });
  return found == nodes.end() ? nullptr : &*found;
}

namespace {

Element parse_document(std::string_view text, const std::string& file) {
  Element document = config::xml::parse(text, file);
  config::schema::forget_nulls(document);
  return document;
}

}  // namespace

Config parse(std::string_view text, const std::string& file) { return read_document(parse_document(text, file), file); }

Config load(const std::string& path, Author author) { return parse(read_file(path, author), path); }

Element load_document(const std::string& path, Author author) {
  Element document = parse_document(read_file(path, author), path);
  read_document(document, path);
  return document;
}

}  // namespace config
