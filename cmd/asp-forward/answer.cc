#include "answer.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/uuid.h"

namespace forward {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxSentence = 500;
constexpr long kLongestRenewal = 365L * 24 * 3600;  // seconds

[[noreturn]] void malformed(std::string_view what) {
  throw tool::Failure(tool::bad_input, fmt::format("read answer of the proxy: {} is not valid", what));
}

const Json& member(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) malformed(name);
  return *found;
}

std::string text(const Json& object, const char* name) {
  const Json& value = member(object, name);
  if (!value.is_string()) malformed(name);
  return value.get<std::string>();
}

long number(const Json& object, const char* name, long low, long high) {
  const Json& value = member(object, name);
  // A number above LONG_MAX is unsigned; get<long> would make it negative.
  if (!value.is_number_integer() ||
      (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(high)))
    malformed(name);
  const long whole = value.get<long>();
  if (whole < low || whole > high) malformed(name);
  return whole;
}

PortRange udp_ports(const Json& object) {
  const Json& value = member(object, "udp_port");
  if (!value.is_string()) {
    const auto port = static_cast<Port>(number(object, "udp_port", 1, 65535));
    return {port, port};
  }
  const auto range = PortRange::parse(value.get<std::string>());
  if (!range) malformed("udp_port");
  return *range;
}

std::string expires(const Json& object) {
  const auto found = object.find("expires");
  if (found == object.end() || found->is_null()) return "";
  const std::string when = text(object, "expires");
  if (when.empty() || when.size() > 40 || when.find_first_not_of("0123456789-:.+TZ") != when.npos) malformed("expires");
  return when;
}

}  // namespace

Leased parse_lease(std::string_view json) {
  const Json object = Json::parse(json, nullptr, false);
  if (!object.is_object()) malformed("it");
  Leased leased;
  leased.id = text(object, "id");
  if (!uuid::is_valid(leased.id)) malformed("id");
  const auto host = IpAddress::parse(text(object, "host"));
  if (!host) malformed("host");
  leased.host = *host;
  leased.ssh_port = static_cast<Port>(number(object, "ssh_port", 1, 65535));
  leased.udp_ports = udp_ports(object);
  leased.renew_seconds = std::chrono::seconds(number(object, "renew_seconds", 0, kLongestRenewal));
  leased.expires = expires(object);
  return leased;
}

std::string sentence(const node_client::Answer& answer) {
  const Json object = Json::parse(answer.body, nullptr, false);
  if (object.is_object() && object.contains("error") && object["error"].is_object()) {
    const Json& error = object["error"];
    if (error.contains("message") && error["message"].is_string()) {
      const auto message = error["message"].get<std::string>();
      if (!message.empty()) return message.substr(0, kMaxSentence);
    }
  }
  if (answer.status == 401) return "the proxy does not accept this user and password";
  if (answer.status >= 300 && answer.status < 400)
    return fmt::format("the answer is a redirect (HTTP status {}); is that the port of a node API?", answer.status);
  return fmt::format("HTTP status {}; is that the port of a node API?", answer.status);
}

tool::Exit exit_for(long http_status) {
  switch (http_status) {
    case 401:
    case 403: return tool::not_permitted;
    case 404: return tool::no;
    case 422:
    case 500:
    case 502:
    case 504: return tool::unavailable;
    case 429:
    case 503: return tool::temporary;
    default: return tool::bad_input;
  }
}

}  // namespace forward
