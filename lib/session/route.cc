#include "session/route.h"

#include <fmt/core.h>

#include "base/decimal.h"
#include "base/failure.h"
#include "base/logging.h"
#include "base/paths.h"

namespace session {
namespace {

[[noreturn]] void malformed_route(const std::string& name, const std::string& value) {
  throw tool::Failure(tool::bad_input, fmt::format("route: {}: '{}' is not valid", name, value));
}

long number(const Record& record, const std::string& name, long otherwise, long high) {
  const auto text = record.get(name);
  if (!text) return otherwise;
  if (const auto value = parse_decimal(*text, 0, high)) return *value;
  malformed_route(name, *text);
}

bool boolean(const Record& record, const std::string& name, bool otherwise) {
  const auto text = record.get(name);
  if (!text) return otherwise;
  if (*text != "true" && *text != "false") malformed_route(name, *text);
  return *text == "true";
}

}  // namespace

Record Route::to_record() const {
  const Route defaults;
  Record record;
  record.add("rule", std::to_string(rule));
  record.add("upstream_user", upstream_user);
  record.add("keyfile", keyfile);
  for (const auto& host : hosts) record.add("host", host.text());
  record.add("proxy_port", std::to_string(proxy_port));
  if (proxy_port != 0) record.add("udp_port", std::to_string(udp_port));
  else record.add("udp_port_range", udp_port_range.text());
  record.add("src_port_filtering", src_port_filtering ? "true" : "false");
  if (udp_linger != defaults.udp_linger) record.add("udp_linger", std::to_string(udp_linger.count()));
  if (connect_timeout != defaults.connect_timeout)
    record.add("connect_timeout", std::to_string(connect_timeout.count()));
  if (faulty_interval != defaults.faulty_interval)
    record.add("faulty_interval", std::to_string(faulty_interval.count()));
  if (known_hosts != paths::kKnownHosts) record.add("known_hosts", known_hosts);
  if (bind_source_address) record.add("bind_source_address", bind_source_address->text());
  if (forwarding == config::Forwarding::nftables) record.add("forwarding", "nftables");
  if (upstream_reuse) record.add("upstream_reuse", "true");
  if (old_algorithms) record.add("old_algorithms", "true");
  return record;
}

Route Route::from_record(const Record& record) {
  record.check_names({"rule", "upstream_user", "keyfile", "proxy_port", "udp_port", "udp_port_range",
                      "src_port_filtering", "udp_linger", "connect_timeout", "known_hosts", "bind_source_address",
                      "forwarding", "faulty_interval", "upstream_reuse", "old_algorithms"},
                     {"host"});
  Route route;
  route.rule = static_cast<int>(number(record, "rule", 0, 1000000));
  route.upstream_user = record.require("upstream_user");
  route.keyfile = record.require("keyfile");
  for (const auto& text : record.all("host")) {
    const auto host = HostPort::parse(text);
    if (!host || host->port == 0) malformed_route("host", text);
    route.hosts.push_back(*host);
  }
  if (route.hosts.empty()) throw tool::Failure(tool::bad_input, "route: host is missing");
  route.proxy_port = static_cast<Port>(number(record, "proxy_port", route.proxy_port, 65535));
  route.udp_port = static_cast<Port>(number(record, "udp_port", route.proxy_port, 65535));
  if (const auto range = record.get("udp_port_range")) {
    const auto parsed = PortRange::parse(*range);
    if (!parsed) malformed_route("udp_port_range", *range);
    route.udp_port_range = *parsed;
  }
  route.src_port_filtering = boolean(record, "src_port_filtering", true);
  route.upstream_reuse = boolean(record, "upstream_reuse", false);
  route.old_algorithms = boolean(record, "old_algorithms", false);
  route.udp_linger = std::chrono::seconds(number(record, "udp_linger", 0, 86400));
  route.connect_timeout = std::chrono::seconds(number(record, "connect_timeout", 10, 86400));
  route.faulty_interval = std::chrono::seconds(number(record, "faulty_interval", 120, 86400));
  route.known_hosts = record.get("known_hosts").value_or(paths::kKnownHosts);
  if (const auto bind = record.get("bind_source_address")) {
    route.bind_source_address = IpAddress::parse(*bind);
    if (!route.bind_source_address) malformed_route("bind_source_address", *bind);
  }
  if (const auto forwarding = record.get("forwarding")) {
    if (*forwarding != "nftables") malformed_route("forwarding", *forwarding);
    route.forwarding = config::Forwarding::nftables;
  }
  return route;
}

std::string Route::identity(const std::string& server) const {
  return fmt::format("rule={} server={} upstream_user={}", rule, server, logging::field(upstream_user));
}

}  // namespace session
