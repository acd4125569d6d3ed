// base/hex: bytes as digits of base 16.
//
//   encode("\x0f\xa0") == "0fa0"   decode("0FA0") == "\x0f\xa0"   decode("0") is absent
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hex {

// Digits are in lower case.
std::string encode(std::string_view bytes);

// Accepts both cases; absent unless all are digits, two for each byte.
std::optional<std::string> decode(std::string_view text);

// 0 to 15; -1 when it is not a digit.
int value_of(char digit);

}  // namespace hex
