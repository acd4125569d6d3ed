#include "hello.h"

#include <fmt/format.h>

#include "digest.h"

namespace asp_cp {
namespace {

constexpr std::string_view kMagic = "ASPCPHI1";
constexpr std::size_t kSessionBytes = 16;
constexpr std::size_t kSigned = 8 + kSessionBytes + 1;

std::string proof(std::string_view text, std::string_view passphrase) {
  const auto digest = keyed_digest(passphrase, text);
  return std::string(digest.begin(), digest.end());
}

std::string bytes_of(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

}  // namespace

std::string make_hello(const std::string& session, std::uint8_t candidate, std::string_view passphrase) {
  std::string text(kMagic);
  text += bytes_of(session);
  text += static_cast<char>(candidate);
  return text + proof(text, passphrase);
}

std::optional<std::string> session_of_hello(std::string_view datagram) {
  if (datagram.size() != kHelloSize || datagram.substr(0, kMagic.size()) != kMagic) return std::nullopt;
  std::string hex;
  for (const unsigned char byte : datagram.substr(kMagic.size(), kSessionBytes)) hex += fmt::format("{:02x}", byte);
  return hex;
}

std::optional<std::uint8_t> recognise_hello(std::string_view datagram, const std::string& session,
                                            std::string_view passphrase) {
  if (session_of_hello(datagram) != session) return std::nullopt;
  if (!equal_secrets(datagram.substr(kSigned), proof(datagram.substr(0, kSigned), passphrase))) return std::nullopt;
  return static_cast<std::uint8_t>(datagram[kSigned - 1]);
}

}  // namespace asp_cp
