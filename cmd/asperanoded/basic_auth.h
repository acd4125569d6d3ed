// basic_auth: the Authorization header of HTTP's Basic scheme (RFC 7617).
//
//   Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==     Aladdin, "open sesame"
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace asperanoded {

struct Credentials {
  std::string name;
  std::string password;
};

namespace basic_auth {

constexpr std::size_t kMaxHeader = 1024;

// Absent: another scheme, not base64 with its padding (RFC 4648, 4), no colon, an empty name, a
// control character (RFC 7617, 2), or longer than kMaxHeader.
std::optional<Credentials> parse(std::string_view header);

}  // namespace basic_auth
}  // namespace asperanoded
