#include "base/resolve.h"

#include <sys/socket.h>

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "../../cmd/asperanoded/resolver.h"

using namespace std::chrono_literals;

TEST_CASE("resolve: what can be no name has no address, and nobody is asked") {
  for (const std::string& name :
       {std::string(), std::string("127.0.0.1"), std::string("::1"), std::string("127.1"), std::string("0x7f.1"),
        std::string("2130706433"), std::string("fe80::1%lo"), std::string("local host"), std::string("localhost\n"),
        std::string("localhost\0x", 11), std::string("a/b"), std::string(254, 'a')}) {
    CAPTURE(name);
    resolve::Lookup lookup(name, AF_INET, 5s);
    CHECK(lookup.fd() == -1);
    CHECK(lookup.look().value().empty());
    CHECK(resolve::addresses_of(name, AF_UNSPEC).empty());
    CHECK_FALSE(resolve::question(name, AF_INET));
    CHECK_FALSE(resolve::program_for("ahostsv4 " + name));
  }
}

TEST_CASE("resolve: getent is asked for names; a numeral has no address") {
  CHECK(resolve::leads_to("localhost", *IpAddress::parse("127.0.0.1")));
  CHECK_FALSE(resolve::leads_to("localhost", *IpAddress::parse("127.0.0.2")));
  CHECK_FALSE(resolve::leads_to("127.1", *IpAddress::parse("127.0.0.1")));
  CHECK_FALSE(resolve::leads_to("127.0.0.1", *IpAddress::parse("127.0.0.1")));
}

TEST_CASE("resolve: the addresses of a name, each once") {
  for (const int family : {AF_INET, AF_UNSPEC}) {
    const auto found = resolve::addresses_of("localhost", family);
    CHECK(std::count(found.begin(), found.end(), *IpAddress::parse("127.0.0.1")) == 1);
  }
  CHECK(resolve::addresses_of("name.invalid", AF_UNSPEC).empty());
}

TEST_CASE("resolve: a question is one of getent's databases for addresses, and a name") {
  CHECK(resolve::question("server.example.com", AF_INET6) == "ahostsv6 server.example.com");
  CHECK(resolve::program_for("ahostsv6 server.example.com").value().argv ==
        std::vector<std::string>{"/usr/bin/getent", "ahostsv6", "--", "server.example.com"});
  for (const auto* line : {"", "ahostsv4", "ahostsv4 ", " localhost", "passwd root", "ahosts  localhost",
                           "ahostsv4 localhost ", "ahostsv4 local host", "ahostsv4 127.1", "ahostsv4 \xc3\xa9"}) {
    CAPTURE(line);
    CHECK_FALSE(resolve::program_for(line));
  }
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
