#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "base/decimal.h"

TEST_CASE("decimal: a number is within its limits, and not one beyond") {
  CHECK(parse_decimal("0", 0, 10) == 0);
  CHECK(parse_decimal("10", 0, 10) == 10);
  CHECK_FALSE(parse_decimal("11", 0, 10));
  CHECK(parse_decimal("5", 5, 10) == 5);
  CHECK_FALSE(parse_decimal("4", 5, 10));
  constexpr long kMost = std::numeric_limits<long>::max();
  CHECK(parse_decimal("9223372036854775807", 0, kMost) == kMost);
  CHECK_FALSE(parse_decimal("9223372036854775808", 0, kMost));
  CHECK_FALSE(parse_decimal("99999999999999999999999", 0, kMost));
}

TEST_CASE("decimal: a number has digits only, and no zero in front") {
  for (const auto& text : std::vector<std::string>{"", " ", "-0", "-1", "+1", "00", "01", "1 ", " 1", "1.0", "1e1",
                                                   "0x1", "1,000", "1\n", std::string("1\0", 2), "\xd9\xa1"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_decimal(text, 0, 1000000));
  }
}
