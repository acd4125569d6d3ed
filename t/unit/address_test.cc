#include <doctest/doctest.h>

#include "base/address.h"
#include "base/failure.h"

TEST_CASE("address: only strict forms are addresses") {
  for (const char* text : {"10.0.0.1", "255.255.255.255", "::1", "2001:db8::1", "::"}) {
    CAPTURE(text);
    CHECK(IpAddress::parse(text));
  }
  for (const char* text : {"", "10.1", "010.0.0.1", "10.0.0.256", "10.0.0.1 ", "fe80::1%eth0", "[::1]", "localhost",
                           "1.2.3.4.5", "::1::"}) {
    CAPTURE(text);
    CHECK_FALSE(IpAddress::parse(text));
  }
  CHECK_FALSE(IpAddress::parse(std::string_view("10.0.0.1\0x", 10)));
}

TEST_CASE("address: a mapped IPv4 address is the IPv4 address") {
  CHECK(IpAddress::parse("::ffff:10.0.0.1") == IpAddress::parse("10.0.0.1"));
  CHECK(IpAddress::parse("::ffff:a00:1")->text() == "10.0.0.1");
}

TEST_CASE("address: endpoints need a port from 1 to 65535 and brackets around IPv6") {
  CHECK(Endpoint::parse("10.0.0.1:22")->text() == "10.0.0.1:22");
  CHECK(Endpoint::parse("[2001:DB8::1]:65535")->text() == "[2001:db8::1]:65535");
  for (const char* text : {"10.0.0.1", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:022", "10.0.0.1:+22",
                           "2001:db8::1:22", "[10.0.0.1]:22", "[2001:db8::1]", "name:22", ":22", ""}) {
    CAPTURE(text);
    CHECK_FALSE(Endpoint::parse(text));
  }
  CHECK_THROWS_AS(Endpoint::require("x", "client"), tool::Failure);
}

TEST_CASE("address: an endpoint survives the way through a sockaddr") {
  for (const char* text : {"10.0.0.1:22", "[2001:db8::1]:33001"}) {
    sockaddr_storage storage;
    const auto endpoint = *Endpoint::parse(text);
    CHECK(endpoint.to_sockaddr(storage) > 0);
    CHECK(Endpoint::from_sockaddr(reinterpret_cast<sockaddr&>(storage)) == endpoint);
  }
}

TEST_CASE("address: networks contain what shares their prefix, numerically") {
  const struct {
    const char* network;
    const char* address;
    bool inside;
  } cases[] = {
      {"7.7.8.0/24", "7.7.8.0", true},
      {"7.7.8.0/24", "7.7.8.255", true},
      {"7.7.8.0/24", "7.7.9.0", false},
      {"7.7.8.0/24", "7.7.80.1", false},
      {"7.7.8.9/24", "7.7.8.1", true},
      {"7.7.7.7", "7.7.7.7", true},
      {"7.7.7.7", "7.7.7.70", false},
      {"0.0.0.0/0", "1.2.3.4", true},
      {"0.0.0.0/0", "::1", false},
      {"10.0.0.0/31", "10.0.0.1", true},
      {"10.0.0.0/31", "10.0.0.2", false},
      {"2001:db8::/32", "2001:db8:ffff::1", true},
      {"2001:db8::/33", "2001:db8:8000::1", false},
      {"::/0", "2001:db8::1", true},
  };
  for (const auto& c : cases) {
    CAPTURE(c.network);
    CAPTURE(c.address);
    CHECK(Network::parse(c.network)->contains(*IpAddress::parse(c.address)) == c.inside);
  }
  for (const char* text :
       {"", "/24", "7.7.8.0/", "7.7.8.0/33", "7.7.8.0/-1", "7.7.8.0/024", "::/129", "7.7.8/24", "7.7.8.0/24/24"}) {
    CAPTURE(text);
    CHECK_FALSE(Network::parse(text));
  }
}

TEST_CASE("address: a host may be an address or a name, with or without port") {
  const struct {
    const char* text;
    const char* host;
    int port;
  } cases[] = {
      {"10.0.0.10", "10.0.0.10", 0},
      {"10.0.0.10:22", "10.0.0.10", 22},
      {"Inside1.Example.COM:2222", "inside1.example.com", 2222},
      {"2001:db8::1", "2001:db8::1", 0},
      {"[2001:db8::1]", "2001:db8::1", 0},
      {"[2001:db8::1]:22", "2001:db8::1", 22},
      {"a_b", "a_b", 0},
  };
  for (const auto& c : cases) {
    CAPTURE(c.text);
    const auto parsed = HostPort::parse(c.text);
    REQUIRE(parsed);
    CHECK(parsed->host == c.host);
    CHECK(parsed->port == c.port);
  }
  CHECK(HostPort{"2001:db8::1", 22}.text() == "[2001:db8::1]:22");
  for (const char* text : {"", ":22", "10.0.0.300", "10.1", "4711", "a..b", ".a", "a.", "-a", "a-", "a b", "a:b", "a:0",
                           "a:22:22", "ä", "a/b", "$(user)", "[10.0.0.1]", "[a]:22"}) {
    CAPTURE(text);
    CHECK_FALSE(HostPort::parse(text));
  }
}
