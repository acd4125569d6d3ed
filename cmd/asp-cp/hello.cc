#include "hello.h"

#include "base/hex.h"
#include "digest.h"

namespace asp_cp {
namespace {

constexpr std::string_view kMagic = "ASPCPHI1";
constexpr std::size_t kSessionBytes = 16;
constexpr std::size_t kSignedBytes = 8 + kSessionBytes + 1;

std::string proof(std::string_view text, std::string_view passphrase) {
  const auto digest = keyed_digest(passphrase, text);
  return std::string(digest.begin(), digest.end());
}

}  // namespace

std::string make_hello(const std::string& session, std::uint8_t candidate, std::string_view passphrase) {
  std::string text(kMagic);
  text += hex::decode(session).value();
  text += static_cast<char>(candidate);
  return text + proof(text, passphrase);
}

std::optional<std::string> session_of_hello(std::string_view datagram) {
  if (datagram.size() != kHelloSize || datagram.substr(0, kMagic.size()) != kMagic) return std::nullopt;
  return hex::encode(datagram.substr(kMagic.size(), kSessionBytes));
}

std::optional<std::uint8_t> recognise_hello(std::string_view datagram, const std::string& session,
                                            std::string_view passphrase) {
  if (session_of_hello(datagram) != session) return std::nullopt;
  if (!equal_secrets(datagram.substr(kSignedBytes), proof(datagram.substr(0, kSignedBytes), passphrase)))
    return std::nullopt;
  return static_cast<std::uint8_t>(datagram[kSignedBytes - 1]);
}

}  // namespace asp_cp
