#include <doctest/doctest.h>

#include <string>

#include "base/wall_clock.h"

TEST_CASE("wall_clock: the time now is RFC 3339 in UTC") {
  const std::string now = wall_clock::now();
  REQUIRE(now.size() == 20);
  const std::string form = "dddd-dd-ddTdd:dd:ddZ";
  for (std::size_t i = 0; i < form.size(); ++i) {
    CAPTURE(now);
    if (form[i] == 'd') CHECK((now[i] >= '0' && now[i] <= '9'));
    else CHECK(now[i] == form[i]);
  }
}
