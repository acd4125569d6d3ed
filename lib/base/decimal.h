// base/decimal: whole numbers as people write them.
//
//   0   22   86400
//
// Digits only: no sign, no leading zero, no space, no 0x.
#pragma once

#include <optional>
#include <string_view>

// Absent when `text` is not such a number, or not within [low, high]; low >= 0.
std::optional<long> parse_decimal(std::string_view text, long low, long high);
