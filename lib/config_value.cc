#include "config_value.h"

#include <algorithm>
#include <bit>

namespace config_value {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

// The parts of `text` between any of `separators`; empty ones are left out.
std::vector<std::string_view> parts(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> found;
  while (!text.empty()) {
    const auto end = std::min(text.find_first_of(separators), text.size());
    if (end > 0) found.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return found;
}

template <typename Accepts>
bool all_of(const std::vector<std::string_view>& found, Accepts accepts) {
  return !found.empty() && std::all_of(found.begin(), found.end(), accepts);
}

bool is_listener(std::string_view text) {
  while (!text.empty() && kSpace.find(text.front()) != kSpace.npos) text.remove_prefix(1);
  if (text.ends_with('s')) text.remove_suffix(1);
  return parse_port(text) || Endpoint::parse(text);
}

// [:port[-port]] at the end of a destination is cut off `text`; false when it
// is there and not valid.
bool cut_ports(std::string_view& text) {
  const auto bracket = text.rfind(']');
  const auto colon = text.rfind(':');
  const bool bare_v6 = bracket == text.npos && colon != text.find(':');
  if (colon == text.npos || bare_v6 || (bracket != text.npos && colon < bracket)) return true;
  std::string range(text.substr(colon + 1));
  std::replace(range.begin(), range.end(), '-', ':');
  text = text.substr(0, colon);
  return PortRange::parse(range).has_value();
}

bool is_destination(std::string_view text) {
  if (!cut_ports(text)) return false;
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') {
    text = text.substr(1, text.size() - 2);
    return text.find(':') != text.npos && Network::parse(text);
  }
  if (Network::parse(text)) return true;
  if (text.starts_with("*.")) text.remove_prefix(2);
  const auto host = HostPort::parse(text);
  return host && host->port == 0 && !IpAddress::parse(host->host);
}

}  // namespace

std::optional<bool> boolean(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return std::nullopt;
}

std::vector<std::string> names(std::string_view text) {
  const auto found = parts(text, ", \t\r\n");
  if (!all_of(found, is_account)) return {};
  return {found.begin(), found.end()};
}

bool is_text(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

bool is_account(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text[0] != '-' &&
         std::none_of(text.begin(), text.end(), [](unsigned char c) { return c <= ' ' || c >= 0x7f || c == '/' || c == ':' || c == ','; });
}

bool is_path(std::string_view text) { return text.starts_with('/') && is_text(text); }

bool is_user_path(std::string_view text) {
  if (!is_path(text)) return false;
  for (auto at = text.find("$("); at != text.npos; at = text.find("$(", at + 2)) {
    const auto rest = text.substr(at + 2);
    if (!rest.starts_with("user)") && !rest.starts_with("name)")) return false;
  }
  return true;
}

bool is_docroot(std::string_view text) {
  const auto scheme = text.find("://");
  if (scheme == text.npos || scheme == 0) return is_user_path(text);
  const auto plain = [](unsigned char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '+'; };
  return is_text(text) && std::all_of(text.begin(), text.begin() + static_cast<long>(scheme), plain);
}

bool is_netmask(std::string_view text) {
  const auto ip = IpAddress::parse(text);
  if (!ip || !ip->is_v4()) return false;
  const std::uint8_t* b = ip->bytes();
  const std::uint32_t mask = std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 | std::uint32_t{b[2]} << 8 | b[3];
  return std::countl_one(mask) + std::countr_zero(mask) == 32;
}

bool is_listen(std::string_view text) { return all_of(parts(text, ","), is_listener); }

bool is_destinations(std::string_view text) { return all_of(parts(text, ", \t\r\n"), is_destination); }

}  // namespace config_value
