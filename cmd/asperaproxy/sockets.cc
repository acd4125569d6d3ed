#include "sockets.h"

#include <charconv>
#include <cstring>
#include <optional>

#include "base/cut.h"

namespace sockets {
namespace {

std::optional<std::uint32_t> hex(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Parses "0100007F:2383": words of four bytes in the host's order, then the port.
std::optional<Endpoint> endpoint(std::string_view text) {
  const auto colon = text.find(':');
  if (colon != 8 && colon != 32) return std::nullopt;
  std::uint32_t raw[4]{};
  for (std::size_t i = 0; i < colon / 8; ++i) {
    const auto word = hex(text.substr(8 * i, 8));
    if (!word) return std::nullopt;
    raw[i] = *word;
  }
  const auto port = hex(text.substr(colon + 1));
  if (!port || *port > 65535) return std::nullopt;
  return Endpoint{colon == 8 ? IpAddress::from_v4(raw) : IpAddress::from_v6(raw), static_cast<Port>(*port)};
}

}  // namespace

std::vector<Endpoint> listening(std::string_view table, bool udp) {
  std::vector<Endpoint> found;
  const std::string_view state = udp ? "07" : "0A";
  for (const auto line : cut::lines(table)) {
    const auto words = cut::words(line);
    if (words.size() < 4 || words[3] != state) continue;
    if (const auto one = endpoint(words[1])) found.push_back(*one);
  }
  return found;
}

}  // namespace sockets
