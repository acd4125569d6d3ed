#include "proxy_url.h"

#include <algorithm>
#include <cctype>
#include <cstring>

#include "base/failure.h"
#include "base/hex.h"

namespace forward {
namespace {

constexpr std::size_t kMaxCredential = 256;  // bytes of the user or the password, decoded

[[noreturn]] void wrong_url(const std::string& why) {
  throw tool::Failure(tool::usage, "--proxy: " + why + "; it is dnats://[user@]host[:port], or dnat:// for clear text");
}

std::string decoded(std::string_view text, const char* what) {
  const auto plain = percent_decode(text);
  if (!plain || plain->size() > kMaxCredential)
    wrong_url(std::string(what) + " is not valid (special characters are written as %XX)");
  return *plain;
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    int byte = static_cast<unsigned char>(text[i]);
    if (text[i] == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const auto decoded = hex::decode(text.substr(i + 1, 2));
      if (!decoded) return std::nullopt;
      byte = static_cast<unsigned char>(decoded->front());
      i += 2;
    }
    if (byte < 0x20 || byte == 0x7f) return std::nullopt;
    plain += static_cast<char>(byte);
  }
  return plain;
}

ProxyUrl ProxyUrl::parse(std::string_view text) {
  ProxyUrl url;
  const auto starts = [&](std::string_view scheme) {
    const auto same = [](char wanted, char c) { return wanted == std::tolower(static_cast<unsigned char>(c)); };
    const auto head = text.substr(0, scheme.size());
    if (!std::equal(scheme.begin(), scheme.end(), head.begin(), head.end(), same)) return false;
    text.remove_prefix(scheme.size());
    return true;
  };
  if (starts("dnat://")) url.tls = false;
  else if (!starts("dnats://")) wrong_url("no dnats:// or dnat:// at its beginning");
  if (text.ends_with('/')) text.remove_suffix(1);

  if (const auto at = text.rfind('@'); at != text.npos) {
    const auto account = text.substr(0, at);
    const auto colon = account.find(':');
    url.user = decoded(account.substr(0, colon), "the user");
    if (url.user.empty()) wrong_url("no user before the @");
    if (url.user.find(':') != std::string::npos) wrong_url("a user name cannot contain a colon");  // RFC 7617, 2
    if (colon != account.npos) url.password = decoded(account.substr(colon + 1), "the password");
    text.remove_prefix(at + 1);
  }
  const bool bare_v6 = !text.starts_with('[') && std::count(text.begin(), text.end(), ':') > 1;
  const auto host = HostPort::parse(text);
  if (bare_v6) wrong_url("an IPv6 address is written in brackets");
  if (!host) wrong_url("no valid host");
  url.host = *host;
  if (url.host.port == 0) url.host.port = url.tls ? kHttpsPort : kHttpPort;
  return url;
}

void hide_password(char* url) {
  char* const account = std::strstr(url, "://");
  char* const at = std::strrchr(url, '@');
  if (!account || !at || at < account + 3) return;
  char* const colon = static_cast<char*>(std::memchr(account + 3, ':', static_cast<std::size_t>(at - account - 3)));
  if (colon) std::memset(colon + 1, '*', static_cast<std::size_t>(at - colon - 1));
}

}  // namespace forward
