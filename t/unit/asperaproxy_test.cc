#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "../../cmd/asperaproxy/kernel.h"

TEST_CASE("asperaproxy: interfaces whose default route a router advertised") {
  using asperaproxy::advertised_on;
  const std::string zero(32, '0');
  const auto route = [&](const std::string& prefix, const std::string& flags, const std::string& interface) {
    return zero + " " + prefix + " " + zero + " 00 fe800000000000000000000000000001 00000400 00000001 00000000 " + flags + " " + interface + "\n";
  };
  CHECK(advertised_on("").empty());
  CHECK(advertised_on("nonsense\n\n").empty());
  CHECK(advertised_on(route("00", "00450003", "eth0")) == std::vector<std::string>{"eth0"});
  CHECK(advertised_on(route("00", "00450003", "eth0") + route("00", "00450003", "eth0")) == std::vector<std::string>{"eth0"});
  CHECK(advertised_on(route("00", "00000003", "eth0")).empty());  // set by hand
  CHECK(advertised_on(route("00", "00200200", "lo")).empty());
  CHECK(advertised_on(route("40", "00450003", "eth0")).empty());  // no default route
}
