// proxy_url: the proxy to ask, and the user to be there.
//
//   dnats://alice@proxy.example.com          HTTPS, port 9092
//   dnat://alice:s%3Acret@[2001:db8::1]:80   HTTP; 9091 where no port is given
//   DNATS://proxy                            as a URL's scheme may be written (RFC 3986 section 3.1)
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/address.h"

namespace forward {

constexpr Port kHttpPort = 9091;
constexpr Port kHttpsPort = 9092;

struct ProxyUrl {
  bool tls = true;
  std::string user;                     // empty: none
  std::optional<std::string> password;  // may be empty
  HostPort host;                        // with its port

  // Failure{64}, which quotes no part of the URL that could be the password.
  static ProxyUrl parse(std::string_view text);
};

// Decodes %41 to A. Absent when a % is not followed by two hex digits, or the result has a control
// character.
std::optional<std::string> percent_decode(std::string_view text);

// Overwrites a password in such a URL, in place, also after "--proxy=", so that ps(1) shows it no
// longer than necessary.
void hide_password(char* url);

}  // namespace forward
