#include "lease/lease.h"

#include <limits>

#include <fmt/core.h>

#include "base/decimal.h"
#include "base/failure.h"
#include "base/uuid.h"

namespace lease {
namespace {

[[noreturn]] void malformed(std::string_view name, std::string_view value) {
  throw tool::Failure(tool::bad_input, fmt::format("lease: {}: '{}' is not valid", name, value));
}

template <typename T>
T checked(const Record& record, std::string_view name, std::optional<T> (*parse)(std::string_view)) {
  const std::string text = record.require(name);
  const auto value = parse(text);
  if (!value) malformed(name, text);
  return *value;
}

long number(const Record& record, std::string_view name, long high) {
  const auto text = record.get(name);
  if (!text) return 0;
  const auto value = parse_decimal(*text, 0, high);
  if (!value) malformed(name, *text);
  return *value;
}

// Thirty years at most, so that sums of such times, in nanoseconds too, are in range.
std::chrono::seconds seconds(const Record& record, std::string_view name) {
  constexpr long kMost = 1'000'000'000;
  return std::chrono::seconds(number(record, name, kMost));
}

int width(const PortRange& range) { return range.high - range.low + 1; }

void check(const Lease& lease) {
  const bool v4 = lease.client.is_v4();
  if (lease.proxy.is_v4() != v4 || lease.address.is_v4() != v4) {
    throw tool::Failure(tool::bad_input, "lease: client, proxy and address mix IPv4 and IPv6");
  }
  if (lease.udp_ports.low != lease.ssh_port) malformed("udp_ports", lease.udp_ports.text());
  if (width(lease.udp_ports) != width(lease.destination_udp_ports) || width(lease.udp_ports) > lease::kMaxUdpPorts) {
    malformed("udp_ports", lease.udp_ports.text());
  }
}

}  // namespace

Lease Lease::from_record(const Record& record) {
  record.check_names({"lease", "user", "client", "proxy", "ssh_port", "udp_ports", "destination", "address",
                      "destination_ssh_port", "destination_udp_ports", "renew_seconds", "lifetime", "started",
                      "deadline", "packets", "ending"});
  Lease parsed;
  parsed.id = record.require("lease");
  if (!uuid::is_valid(parsed.id)) malformed("lease", parsed.id);
  parsed.user = record.get("user").value_or("");
  parsed.client = checked(record, "client", IpAddress::parse);
  parsed.proxy = checked(record, "proxy", IpAddress::parse);
  parsed.ssh_port = checked(record, "ssh_port", parse_port);
  parsed.udp_ports = checked(record, "udp_ports", PortRange::parse);
  parsed.destination = record.require("destination");
  parsed.address = checked(record, "address", IpAddress::parse);
  parsed.destination_ssh_port = checked(record, "destination_ssh_port", parse_port);
  parsed.destination_udp_ports = checked(record, "destination_udp_ports", PortRange::parse);
  parsed.renew_seconds = seconds(record, "renew_seconds");
  parsed.lifetime = seconds(record, "lifetime");
  parsed.started = record.require("started");
  parsed.deadline = seconds(record, "deadline");
  parsed.packets = static_cast<std::uint64_t>(number(record, "packets", std::numeric_limits<long>::max()));
  parsed.ending = record.get("ending").has_value();
  check(parsed);
  return parsed;
}

Record Lease::to_record() const {
  Record record;
  record.add("lease", id);
  if (!user.empty()) record.add("user", user);
  record.add("client", client.text());
  record.add("proxy", proxy.text());
  record.add("ssh_port", std::to_string(ssh_port));
  record.add("udp_ports", udp_ports.text());
  record.add("destination", destination);
  record.add("address", address.text());
  record.add("destination_ssh_port", std::to_string(destination_ssh_port));
  record.add("destination_udp_ports", destination_udp_ports.text());
  record.add("renew_seconds", std::to_string(renew_seconds.count()));
  record.add("lifetime", std::to_string(lifetime.count()));
  record.add("started", started);
  record.add("deadline", std::to_string(deadline.count()));
  if (packets > 0) record.add("packets", std::to_string(packets));
  if (ending) record.add("ending", "true");
  return record;
}

std::string Lease::owner() const { return user.empty() ? "client=" + client.text() : "user=" + user; }

}  // namespace lease
