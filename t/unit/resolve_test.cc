#include "base/resolve.h"

#include <algorithm>
#include <string>

#include <doctest/doctest.h>

#include "../../cmd/asperanoded/resolver.h"

using namespace std::chrono_literals;
using Answer = resolve::Lookup::Answer;

TEST_CASE("resolve: what can be no name has no address, and nobody is asked") {
  const auto loopback = *IpAddress::parse("127.0.0.1");
  for (const std::string& name :
       {std::string(), std::string("127.0.0.1"), std::string("::1"), std::string("127.1"), std::string("0x7f.1"),
        std::string("2130706433"), std::string("fe80::1%lo"), std::string("local host"), std::string("localhost\n"),
        std::string("localhost\0x", 11), std::string("a/b"), std::string(254, 'a')}) {
    CAPTURE(name);
    resolve::Lookup lookup(name, loopback, 5s);
    CHECK(lookup.fd() == -1);
    CHECK(lookup.look() == Answer::no);
  }
}

TEST_CASE("resolve: getent is asked for names; a numeral has no address") {
  CHECK(resolve::leads_to("localhost", *IpAddress::parse("127.0.0.1")));
  CHECK_FALSE(resolve::leads_to("localhost", *IpAddress::parse("127.0.0.2")));
  CHECK_FALSE(resolve::leads_to("127.1", *IpAddress::parse("127.0.0.1")));
  CHECK_FALSE(resolve::leads_to("127.0.0.1", *IpAddress::parse("127.0.0.1")));
}

TEST_CASE("resolver: asperanoded gets the addresses that the system says; a numeral has none") {
  const auto found = asperanoded::addresses_of("localhost");
  CHECK(std::count(found.begin(), found.end(), *IpAddress::parse("127.0.0.1")) == 1);
  for (const std::string& name :
       {std::string(), std::string("127.1"), std::string("127.0.0.1"), std::string("localhost\0x", 11)}) {
    CAPTURE(name);
    CHECK(asperanoded::addresses_of(name).empty());
  }
}
