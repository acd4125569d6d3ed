#include "config/destination.h"

#include <algorithm>

#include "base/cut.h"

namespace config {
namespace {

// Cuts [:port[-port]] off the end of `text` and puts it into `ports`. Returns false when it is there
// but not valid.
bool cut_ports(std::string_view& text, std::optional<PortRange>& ports) {
  const auto bracket = text.rfind(']');
  const auto colon = text.rfind(':');
  const bool bare_v6 = bracket == text.npos && colon != text.find(':');
  if (colon == text.npos || bare_v6 || (bracket != text.npos && colon < bracket)) return true;
  std::string range(text.substr(colon + 1));
  std::replace(range.begin(), range.end(), '-', ':');
  text = text.substr(0, colon);
  ports = PortRange::parse(range);
  return ports.has_value();
}

}  // namespace

std::optional<Destination> Destination::parse(std::string_view text) {
  Destination parsed;
  if (!cut_ports(text, parsed.ports)) return std::nullopt;
  if (text.starts_with('[')) {
    const auto bracket = text.find(']');
    if (bracket == text.npos || text.find(':') > bracket) return std::nullopt;
    parsed.network = Network::parse(std::string(text.substr(1, bracket - 1)) + std::string(text.substr(bracket + 1)));
    return parsed.network ? std::optional(parsed) : std::nullopt;
  }
  parsed.network = Network::parse(text);
  if (parsed.network) return parsed;
  const bool below = text.starts_with("*.");
  if (below) text.remove_prefix(2);
  const auto host = HostPort::parse(text);
  if (!host || host->port != 0 || IpAddress::parse(host->host)) return std::nullopt;
  parsed.name = (below ? "*." : "") + host->host;
  return parsed;
}

}  // namespace config

namespace config::destination {

std::optional<std::vector<Destination>> parse_list(std::string_view text) {
  std::vector<Destination> all;
  for (const auto word : cut::words(text, ", \t\r\n")) {
    auto one = Destination::parse(word);
    if (!one) return std::nullopt;
    all.push_back(std::move(*one));
  }
  return all;
}

}  // namespace config::destination
