// proxy_url: where the proxy is, and as whom to speak to it.
//
//   dnats://alice@proxy.example.com          HTTPS, port 9092
//   dnat://alice:s%3Acret@[2001:db8::1]:80   HTTP; 9091 where no port is given
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/address.h"

namespace forward {

struct ProxyUrl {
  bool tls = true;
  std::string user;                     // empty: none
  std::optional<std::string> password;  // may be empty
  HostPort host;                        // with its port

  // Failure{64}, without a word of the URL that could be the password.
  static ProxyUrl parse(std::string_view text);
};

// %41 is A. Absent when a % is not followed by two hex digits, or a control
// character comes of it.
std::optional<std::string> percent_decode(std::string_view text);

// Overwrites a password that stands in such a URL, in place, also where it has
// "--proxy=" before it, so that ps(1) does not show it for longer than need be.
void hide_password(char* url);

}  // namespace forward
