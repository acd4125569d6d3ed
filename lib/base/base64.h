// base/base64: RFC 4648, section 4.
//
//   encode("f") == "Zg=="   decode("Zg==") == "f"   decode("Zh==") is absent
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace base64 {

// With padding; empty for empty input.
std::string encode(std::string_view bytes);

// Absent unless `text` is what encode() would write and not empty, so that each value has only one
// text.
std::optional<std::string> decode(std::string_view text);

}  // namespace base64
