#include "config/value.h"

#include <algorithm>
#include <bit>

#include "base/accounts.h"
#include "base/cut.h"

namespace config::value {
namespace {

constexpr std::string_view kSpace = " \t\r\n";
constexpr std::string_view kBetweenNames = ", \t\r\n";

std::optional<Listen> listener(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  Listen one;
  one.tls = text.ends_with('s');
  if (one.tls) text.remove_suffix(1);
  if (const auto port = parse_port(text)) {
    one.port = *port;
  } else if (const auto endpoint = Endpoint::parse(text)) {
    one.address = endpoint->ip;
    one.port = endpoint->port;
  } else {
    return std::nullopt;
  }
  return one;
}

}  // namespace

std::optional<bool> boolean(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return std::nullopt;
}

std::vector<std::string> names(std::string_view text) {
  std::vector<std::string> found;
  for (;;) {
    text.remove_prefix(std::min(text.find_first_not_of(kBetweenNames), text.size()));
    if (text.empty()) return found;
    const bool quoted = text.front() == '"';
    const auto end = quoted ? text.find('"', 1) : std::min(text.find_first_of(kBetweenNames), text.size());
    if (end == text.npos) return {};
    const auto name = text.substr(quoted ? 1 : 0, quoted ? end - 1 : end);
    text.remove_prefix(quoted ? end + 1 : end);
    const bool apart = text.empty() || kBetweenNames.find(text.front()) != kBetweenNames.npos;
    if (!apart || !is_account(name)) return {};
    found.emplace_back(name);
  }
}

bool is_text(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

bool is_account(std::string_view text) { return accounts::is_name(text); }

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
  constexpr std::string_view kHome = "$(home)";
  if (text == kHome) return true;
  if (text.starts_with(kHome)) return is_user_path(text.substr(kHome.size()));
  const auto scheme = text.find("://");
  if (scheme == text.npos || scheme == 0 || text.starts_with('/')) return is_user_path(text);
  const auto plain = [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '+';
  };
  return is_text(text) && std::all_of(text.begin(), text.begin() + static_cast<long>(scheme), plain);
}

std::optional<int> netmask(std::string_view text) {
  const auto ip = IpAddress::parse(text);
  if (!ip || !ip->is_v4()) return std::nullopt;
  const std::uint8_t* b = ip->bytes();
  const std::uint32_t mask = std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 | std::uint32_t{b[2]} << 8 | b[3];
  const int ones = std::countl_one(mask);
  if (ones + std::countr_zero(mask) != 32) return std::nullopt;
  return ones;
}

std::vector<Listen> listen(std::string_view text) {
  std::vector<Listen> all;
  for (const auto part : cut::words(text, ",")) {
    const auto one = listener(part);
    if (!one) return {};
    all.push_back(*one);
  }
  return all;
}

namespace {

bool is_plain_name(std::string_view text, std::size_t most, std::string_view besides) {
  const auto alphanumeric = [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  return !text.empty() && text.size() <= most && alphanumeric(static_cast<unsigned char>(text[0])) &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return alphanumeric(static_cast<unsigned char>(c)) || besides.find(c) != besides.npos;
         });
}

bool is_possible_for_host(const IpAddress& ip) {
  const std::uint8_t first = ip.bytes()[0];
  const bool any =
      std::all_of(ip.bytes(), ip.bytes() + (ip.is_v4() ? 4 : 16), [](std::uint8_t byte) { return byte == 0; });
  return !any && (ip.is_v4() ? first != 0 && first != 127 && first < 224 : first != 0xff);
}

}  // namespace

bool is_interface(std::string_view text) { return is_plain_name(text, 15, ".-_"); }
bool is_host_name(std::string_view text) { return is_plain_name(text, 64, ".-"); }

std::vector<Network> own_addresses(std::string_view text) {
  std::vector<Network> all;
  for (const auto part : cut::words(text, ", \t\r\n")) {
    const auto one = Network::parse(part);
    if (!one || part.find('/') == part.npos || one->prefix == 0 || !is_possible_for_host(one->base)) return {};
    all.push_back(*one);
  }
  return all;
}

std::vector<Endpoint> endpoints(std::string_view text) {
  std::vector<Endpoint> all;
  for (const auto part : cut::words(text, ", \t\r\n")) {
    const auto one = Endpoint::parse(part);
    if (!one || one->port == 0 || !is_possible_for_host(one->ip)) return {};
    all.push_back(*one);
  }
  return all;
}

}  // namespace config::value
