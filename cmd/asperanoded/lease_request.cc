#include "lease_request.h"

#include <set>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/logging.h"
#include "lease/lease.h"
#include "refusal.h"

namespace asperanoded {
namespace {

using nlohmann::json;

[[noreturn]] void bad(const std::string& why) { throw Refusal("bad_request", why); }

// Parses an object of plain values. A repeated member is refused, since it is ambiguous.
json parse_flat(std::string_view body) {
  std::set<std::string> seen;
  std::string fault;
  const auto look = [&](int depth, json::parse_event_t event, json& value) {
    using Event = json::parse_event_t;
    if (depth > 0 && (event == Event::object_start || event == Event::array_start))
      fault = "The body has nested values.";
    if (event == Event::key && !seen.insert(value.get<std::string>()).second) fault = "A member is given twice.";
    return fault.empty();
  };
  const json parsed = json::parse(body.begin(), body.end(), look, false);
  if (!fault.empty()) bad(fault);
  if (parsed.is_discarded()) bad("The body is not valid JSON.");
  if (!parsed.is_object()) bad("The body is not a JSON object.");
  return parsed;
}

std::string text_of(const json& value, const char* name) {
  if (!value.is_string()) bad(fmt::format("{} is not a string.", name));
  return value.get<std::string>();
}

Port port_of(const json& value, const char* name) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    if (number >= 1 && number <= 65535) return static_cast<Port>(number);
  }
  bad(fmt::format("{} is not a number from 1 to 65535.", name));
}

PortRange ports_of(const json& value) {
  if (!value.is_string()) {
    const Port port = port_of(value, "udp_port");
    return {port, port};
  }
  const auto range = PortRange::parse(value.get<std::string>());
  if (!range) bad("udp_port is neither a port nor LOW:HIGH.");
  if (range->high - range->low >= lease::kMaxUdpPorts)
    bad(fmt::format("udp_port has more than {} ports.", lease::kMaxUdpPorts));
  return *range;
}

}  // namespace

LeaseRequest LeaseRequest::parse(std::string_view body) {
  const json object = parse_flat(body);
  LeaseRequest request;
  for (const auto& [name, value] : object.items()) {
    if (name == "destination") {
      const auto target = config::destination::Target::parse(text_of(value, "destination"));
      if (!target) bad("destination is neither a host name nor an IP address.");
      request.target = *target;
      request.destination = target->address ? target->address->text() : target->name;
    } else if (name == "ssh_port") {
      request.ssh_port = port_of(value, "ssh_port");
    } else if (name == "udp_port") {
      request.udp_ports = ports_of(value);
    } else if (name == "client") {
      request.client = IpAddress::parse(text_of(value, "client"));
      if (!request.client) bad("client is not an IP address.");
    } else {
      bad(fmt::format("Unknown member: {}.", logging::escape(name.substr(0, 64))));
    }
  }
  if (request.destination.empty()) bad("destination is missing.");
  return request;
}

bool is_json(std::string_view type) {
  std::string plain;
  for (const char c : type) {
    if (c != ' ' && c != '\t') plain += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return plain == "application/json" || plain == "application/json;charset=utf-8" ||
         plain == "application/json;charset=\"utf-8\"";
}

void require_nothing(std::string_view body) {
  if (!body.empty() && !parse_flat(body).empty()) bad("This request takes no members.");
}
}  // namespace asperanoded
