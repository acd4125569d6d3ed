#include "config.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <set>

#include <fmt/core.h>

#include "config_xml.h"
#include "fd.h"
#include "io.h"
#include "logging.h"
#include "paths.h"
#include "tool.h"

namespace config {
namespace {

using config_xml::Element;
constexpr Port kSshPort = 22;

// Reads typed values out of elements; every complaint names file, line,
// column and element.
class Reader {
 public:
  explicit Reader(const std::string& file) : file_(file) {}

  [[noreturn]] void fail(const Element& element, const std::string& why) const {
    config_xml::fail(file_, element.position, fmt::format("{}: {}", logging::escape(element.name), why));
  }

  bool boolean(const Element& element) const {
    if (element.text == "true") return true;
    if (element.text == "false") return false;
    refuse(element, "true or false");
  }

  long number(const Element& element, long low, long high) const {
    long value = 0;
    const std::string& text = element.text;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < low || value > high) {
      refuse(element, fmt::format("a number from {} to {}", low, high));
    }
    return value;
  }

  Port port(const Element& element) const { return static_cast<Port>(number(element, 1, 65535)); }
  std::chrono::seconds seconds(const Element& element, long low) const {
    return std::chrono::seconds(number(element, low, 86400));
  }
  unsigned count(const Element& element) const { return static_cast<unsigned>(number(element, 0, 1000000)); }

  PortRange port_range(const Element& element) const {
    const auto colon = element.text.find(':');
    const auto low = parse_port(std::string_view(element.text).substr(0, colon));
    const auto high = colon == std::string::npos ? low : parse_port(std::string_view(element.text).substr(colon + 1));
    if (!low || !high || *low > *high) refuse(element, "LOW:HIGH, ports from 1 to 65535, such as 33001:33100");
    return {*low, *high};
  }

  IpAddress address(const Element& element) const {
    if (const auto ip = IpAddress::parse(element.text)) return *ip;
    refuse(element, "an IPv4 or IPv6 address");
  }

  HostPort host(const Element& element) const {
    auto host = HostPort::parse(element.text);
    if (!host) refuse(element, "address[:port] or name[:port], an IPv6 address with port in brackets");
    if (host->port == 0) host->port = kSshPort;
    return *host;
  }

  std::string path(const Element& element) const {
    if (element.text.empty() || element.text[0] != '/' || has_control(element.text)) refuse(element, "an absolute path");
    return element.text;
  }

  std::string account(const Element& element) const {
    const std::string& text = element.text;
    const bool plain = !text.empty() && text.size() <= 64 && text[0] != '-' &&
                       std::none_of(text.begin(), text.end(), [](unsigned char c) { return c <= ' ' || c >= 0x7f || c == '/' || c == ':'; });
    if (!plain) refuse(element, "an account name");
    return text;
  }

  // Account names parted by commas or white space.
  std::vector<std::string> names(const Element& element) const {
    std::vector<std::string> found;
    std::string name;
    for (const char c : element.text + ",") {
      if (c != ',' && c != ' ' && c != '\t' && c != '\n') {
        name += c;
      } else if (!name.empty()) {
        found.push_back(std::exchange(name, {}));
      }
    }
    if (found.empty()) refuse(element, "names parted by commas");
    return found;
  }

  Forwarding forwarding(const Element& element) const {
    if (element.text == "iptables") return Forwarding::iptables;
    if (element.text == "nftables") return Forwarding::nftables;
    refuse(element, "iptables or nftables");
  }

  static bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  }

  [[noreturn]] void refuse(const Element& element, const std::string& right) const {
    fail(element, fmt::format("'{}' is not valid; expected {}", logging::escape(element.text.substr(0, 100)), right));
  }

  void no_children(const Element& element) const {
    if (!element.children.empty()) fail(element.children[0], "does not belong inside " + element.name);
  }

  void no_attributes(const Element& element) const {
    if (!element.attributes.empty()) {
      fail(element, fmt::format("unknown attribute '{}'", logging::escape(element.attributes[0].first)));
    }
  }

 private:
  const std::string& file_;
};

// What to do with each child element, by name. Each may be there once.
using Fields = std::map<std::string_view, std::function<void(const Element&)>>;

void read_children(const Reader& reader, const Element& parent, const Fields& fields,
                   std::initializer_list<std::string_view> with_children = {}) {
  std::set<std::string_view> seen;
  for (const auto& child : parent.children) {
    const auto field = fields.find(child.name);
    if (field == fields.end()) reader.fail(child, "unknown element in " + parent.name);
    if (!seen.insert(field->first).second) reader.fail(child, "is there twice in " + parent.name);
    if (std::find(with_children.begin(), with_children.end(), child.name) == with_children.end()) {
      reader.no_children(child);
      reader.no_attributes(child);
    }
    field->second(child);
  }
}

void read_rule_attributes(const Reader& reader, const Element& element, Rule& rule) {
  for (const auto& [name, value] : element.attributes) {
    const std::string shown = logging::escape(value.substr(0, 100));
    if (name == "host_ip") {
      rule.host_ip = Network::parse(value);
      if (!rule.host_ip) reader.fail(element, fmt::format("host_ip '{}' is not valid; expected an address or address/bits", shown));
    } else if (name == "host_domain") {
      rule.host_domain = HostPort::parse(value);
      if (!rule.host_domain) reader.fail(element, fmt::format("host_domain '{}' is not valid; expected name or name:port", shown));
    } else {
      reader.fail(element, fmt::format("unknown attribute '{}'; expected host_ip or host_domain", logging::escape(name)));
    }
  }
}

void read_hosts(const Reader& reader, const Element& element, Rule& rule) {
  reader.no_attributes(element);
  for (const auto& child : element.children) {
    if (child.name != "host") reader.fail(child, "unknown element in hosts");
    reader.no_children(child);
    reader.no_attributes(child);
    rule.hosts.push_back(reader.host(child));
  }
  if (rule.hosts.empty()) reader.fail(element, "holds no <host>");
  rule.balanced = true;
}

// An empty element means the default, as the guide's own samples write them.
Fields skipping_empty(Fields fields) {
  for (auto& [name, read] : fields) {
    read = [read = std::move(read)](const Element& element) {
      if (!element.text.empty() || !element.children.empty()) read(element);
    };
  }
  return fields;
}

Rule read_rule(const Reader& reader, const Element& element, int number) {
  Rule rule;
  rule.number = number;
  rule.line = element.position.line;
  read_rule_attributes(reader, element, rule);
  const auto filtering = [&](const Element& e) { rule.src_port_filtering = reader.boolean(e); };
  const Fields fields = skipping_empty({
      {"host", [&](const Element& e) { rule.hosts.push_back(reader.host(e)); }},
      {"hosts", [&](const Element& e) { read_hosts(reader, e, rule); }},
      {"balancing", [&](const Element& e) { if (e.text != "round_robin") reader.refuse(e, "round_robin"); }},
      {"squash_user", [&](const Element& e) { rule.squash_user = reader.account(e); }},
      {"keyfile", [&](const Element& e) { rule.keyfile = reader.path(e); }},
      {"proxy_port", [&](const Element& e) { rule.proxy_port = static_cast<Port>(reader.number(e, 0, 65535)); }},
      {"udp_port", [&](const Element& e) { rule.udp_port = reader.port(e); }},
      {"udp_port_range", [&](const Element& e) { rule.udp_port_range = reader.port_range(e); }},
      {"src_port_filtering", filtering},
      {"source_port_filtering", filtering},  // the guide's chapter "Troubleshooting" spells it so
      {"udp_port_reuse", [&](const Element& e) { rule.udp_port_reuse = reader.boolean(e); }},
      {"udp_linger", [&](const Element& e) { rule.udp_linger = reader.seconds(e, 0); }},
      {"bind_source_address", [&](const Element& e) { rule.bind_source_address = reader.address(e); }},
      {"forwarding_type", [&](const Element& e) { rule.forwarding = reader.forwarding(e); }},
      {"users", [&](const Element& e) { rule.users = reader.names(e); }},
      {"groups", [&](const Element& e) { rule.groups = reader.names(e); }},
      {"faulty_interval", [&](const Element& e) { rule.faulty_interval = reader.seconds(e, 1); }},
      {"connect_timeout", [&](const Element& e) { rule.connect_timeout = reader.seconds(e, 1); }},
      {"max_sessions", [&](const Element& e) { rule.max_sessions = reader.count(e); }},
  });
  read_children(reader, element, fields, {"hosts"});
  if (element.child("host") && element.child("hosts")) reader.fail(*element.child("hosts"), "host and hosts together; keep one");
  if (rule.hosts.empty()) reader.fail(element, "needs a <host> (or <hosts>)");
  if (rule.keyfile.empty()) reader.fail(element, "needs a <keyfile>");
  return rule;
}

void read_rules(const Reader& reader, const Element& element, Rproxy& rproxy) {
  reader.no_attributes(element);
  for (const auto& child : element.children) {
    if (child.name != "rule") reader.fail(child, "unknown element in rules");
    rproxy.rules.push_back(read_rule(reader, child, static_cast<int>(rproxy.rules.size()) + 1));
  }
}

Rproxy read_rproxy(const Reader& reader, const Element& element) {
  Rproxy rproxy;
  rproxy.known_hosts = paths::kKnownHosts;
  reader.no_attributes(element);
  const Fields fields = skipping_empty({
      {"enabled", [&](const Element& e) { rproxy.enabled = reader.boolean(e); }},
      {"log_level", [&](const Element& e) { rproxy.log_level = static_cast<int>(reader.number(e, 0, 2)); }},
      {"log_directory", [&](const Element& e) { rproxy.log_directory = reader.path(e); }},
      {"known_hosts", [&](const Element& e) { rproxy.known_hosts = reader.path(e); }},
      {"max_sessions", [&](const Element& e) { rproxy.max_sessions = reader.count(e); }},
      {"rules", [&](const Element& e) { read_rules(reader, e, rproxy); }},
  });
  read_children(reader, element, fields, {"rules"});
  return rproxy;
}

std::vector<Command> read_commands(const Reader& reader, const Element& element) {
  std::vector<Command> commands;
  for (const auto& child : element.children) {
    if (child.name != "command") reader.fail(child, "unknown element in aspshell_commands");
    reader.no_children(child);
    Command command{child.text, true};
    for (const auto& [name, value] : child.attributes) {
      if (name != "udp" || (value != "true" && value != "false")) {
        reader.fail(child, "unknown attribute; expected udp=\"true\" or udp=\"false\"");
      }
      command.udp = value == "true";
    }
    if (command.pattern.empty() || Reader::has_control(command.pattern)) reader.refuse(child, "a command line");
    commands.push_back(std::move(command));
  }
  return commands;
}

}  // namespace

Config parse(std::string_view text, const std::string& file) {
  const Element root = config_xml::parse(text, file);
  const Reader reader(file);
  if (root.name != "CONF" && root.name != "conf") reader.fail(root, "the document element must be <CONF version=\"2\">");
  Config parsed;
  parsed.rproxy.known_hosts = paths::kKnownHosts;
  const Element* rproxy = nullptr;
  for (const auto& section : root.children) {
    if (section.name == "default") {
      if (const auto* commands = section.child("aspshell_commands")) parsed.aspshell_commands = read_commands(reader, *commands);
    }
    if (section.name != "server") continue;
    for (const auto& product : section.children) {
      if (product.name != "rproxy") continue;
      if (rproxy) reader.fail(product, "is there twice");
      rproxy = &product;
      parsed.rproxy = read_rproxy(reader, product);
    }
  }
  return parsed;
}

Config load(const std::string& path, Author author) {
  const Fd opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
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
  return parse(io::read_all(opened.get(), config_xml::kMaxBytes, path), path);
}

}  // namespace config
