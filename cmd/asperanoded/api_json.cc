#include "api_json.h"

#include <ctime>

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/boot_clock.h"

namespace asperanoded {
namespace api_json {
namespace {

using nlohmann::ordered_json;

std::string dumped(const ordered_json& value) {
  return value.dump(-1, ' ', true, ordered_json::error_handler_t::replace) + "\n";
}

ordered_json ports(const PortRange& range) {
  if (range.low == range.high) return range.low;
  return range.text();
}

// RFC 3339, UTC. A deadline is by the boot clock, which no other machine has.
ordered_json expires(const lease::Lease& lease) {
  if (lease.lifetime.count() == 0) return nullptr;
  const std::time_t at = ::time(nullptr) + (lease.deadline - boot_clock::seconds()).count();
  std::tm parts{};
  ::gmtime_r(&at, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                     parts.tm_hour, parts.tm_min, parts.tm_sec);
}

ordered_json object_of(const lease::Lease& lease) {
  ordered_json object{{"id", lease.id},
                      {"host", lease.proxy.text()},
                      {"ssh_port", lease.ssh_port},
                      {"udp_port", ports(lease.udp_ports)},
                      {"renew_seconds", lease.renew_seconds.count()},
                      {"expires", expires(lease)},
                      {"destination", lease.destination},
                      {"address", lease.address.text()},
                      {"destination_ssh_port", lease.destination_ssh_port},
                      {"destination_udp_port", ports(lease.destination_udp_ports)},
                      {"client", lease.client.text()},
                      {"started", lease.started}};
  if (!lease.user.empty()) object["user"] = lease.user;
  return object;
}

struct Times {
  long renew = 0;
  long lifetime = 0;
};

// The times as asp-lease computes them; aspera.conf(5), <session_timeout>.
Times times_of(const config::Proxy& proxy) {
  const long one = proxy.keepalive_interval.count();
  const long other = proxy.session_timeout.count();
  const long longer = std::max(one, other);
  if (longer == 0) return {};
  return {one > 0 && other > 0 ? std::min(one, other) : std::max(1L, longer / 3), longer};
}

}  // namespace

lease::Lease lease_of(const Record& answer) {
  Record rest;
  for (const auto& [name, value] : answer.fields()) {
    if (name != "answer" && name != "tag") rest.add(name, value);
  }
  return lease::Lease::from_record(rest);
}

std::string lease(const lease::Lease& lease) { return dumped(object_of(lease)); }

std::string leases(const std::vector<lease::Lease>& leases) {
  ordered_json list = ordered_json::array();
  for (const auto& one : leases) list.push_back(object_of(one));
  return dumped({{"leases", std::move(list)}});
}

std::string info(const config::Proxy& proxy, const std::string& version) {
  const Times times = times_of(proxy);
  return dumped({{"name", "sallyport"},
                 {"version", version},
                 {"port_range", {{"low", proxy.port_range_low}, {"high", proxy.port_range_high}}},
                 {"renew_seconds", times.renew},
                 {"lifetime_seconds", times.lifetime},
                 {"max_udp_ports", lease::kMaxUdpPorts},
                 {"max_leases_per_user", proxy.max_leases_per_user},
                 {"authentication", proxy.authentication},
                 {"features", {"ipv4", "ipv6", "udp_port_range", "metrics"}}});
}

}  // namespace api_json
}  // namespace asperanoded
