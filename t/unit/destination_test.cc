#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../../cmd/asperanoded/resolver.h"

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "base/child.h"
#include "base/resolve.h"
#include "config/destination_policy.h"
#include "kernel/own_addresses.h"

namespace {

using config::destination::Asked;
using config::destination::Target;
using config::destination::Verdict;

IpAddress ip(const std::string& text) { return IpAddress::parse(text).value(); }

// The proxy of the lab: on the LAN, on the WAN, and an AnyIP network.
const std::vector<Network> kOwn = {
    *Network::parse("203.0.113.1"),  *Network::parse("203.0.113.255"),  *Network::parse("203.0.113.0"),
    *Network::parse("198.51.100.1"), *Network::parse("192.0.2.128/25"), *Network::parse("2001:db8:1::1"),
    *Network::parse("2001:db8:1::"),
};

struct Case {
  const char* asked;
  const char* why;  // as never_reachable says it; empty: reachable; nullptr: not even a target
};

// What people write when they want to get where they must not.
constexpr Case kSpellings[] = {
    {"127.0.0.1", "is a loopback address"},
    {"127.0.0.0", "is a loopback address"},
    {"127.255.255.255", "is a loopback address"},
    {"126.255.255.255", ""},
    {"128.0.0.0", ""},
    {"0.0.0.0", "is not the address of a host"},
    {"0.255.255.255", "is not the address of a host"},
    {"1.0.0.0", ""},
    {"169.254.169.254", "is a link-local address"},
    {"169.253.255.255", ""},
    {"169.255.0.0", ""},
    {"223.255.255.255", ""},
    {"224.0.0.1", "is a multicast address"},
    {"239.255.255.255", "is a multicast address"},
    {"240.0.0.0", "is a reserved address"},
    {"255.255.255.254", "is a reserved address"},
    {"255.255.255.255", "is the broadcast address"},
    {"203.0.113.1", "is the proxy's own address"},
    {"203.0.113.255", "is the proxy's own address"},
    {"203.0.113.0", "is the proxy's own address"},
    {"203.0.113.2", ""},
    {"192.0.2.200", "is the proxy's own address"},
    {"192.0.2.127", ""},
    {"10.0.0.1", ""},
    {"::", "is not the address of a host"},
    {"0:0:0:0:0:0:0:0", "is not the address of a host"},
    {"::1", "is a loopback address"},
    {"0000:0000:0000:0000:0000:0000:0000:0001", "is a loopback address"},
    {"::0.0.0.1", "is a loopback address"},
    {"::2", "is an IPv4-compatible address, a kind that is out of use"},
    {"::127.0.0.1", "is an IPv4-compatible address, a kind that is out of use"},
    {"::198.51.100.50", "is an IPv4-compatible address, a kind that is out of use"},
    {"::ffff:127.0.0.1", "is a loopback address"},
    {"::ffff:7f00:1", "is a loopback address"},
    {"0:0:0:0:0:FFFF:7F00:0001", "is a loopback address"},
    {"::ffff:0.0.0.0", "is not the address of a host"},
    {"::ffff:203.0.113.1", "is the proxy's own address"},
    {"::ffff:169.254.169.254", "is a link-local address"},
    {"::ffff:198.51.100.50", ""},
    {"::ffff:0:127.0.0.1", "stands for an IPv4 address that is a loopback address"},
    {"::ffff:0:198.51.100.50", ""},
    {"64:ff9b::127.0.0.1", "stands for an IPv4 address that is a loopback address"},
    {"64:ff9b::cb00:7101", "stands for an IPv4 address that is the proxy's own address"},
    {"64:ff9b::0.0.0.0", "stands for an IPv4 address that is not the address of a host"},
    {"64:ff9b::169.254.169.254", "stands for an IPv4 address that is a link-local address"},
    {"64:ff9b::224.0.0.1", "stands for an IPv4 address that is a multicast address"},
    {"64:ff9b::255.255.255.255", "stands for an IPv4 address that is the broadcast address"},
    {"64:ff9b::198.51.100.50", ""},
    {"64:ff9b:0:0:0:1:7f00:1", ""},
    {"64:ff9b:1::127.0.0.1", "is for a local translator, which may lead anywhere"},
    {"64:ff9b:1:7f00:0:100::", "is for a local translator, which may lead anywhere"},
    {"64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "is for a local translator, which may lead anywhere"},
    {"64:ff9b:2::1", ""},
    {"2002:7f00:1::", "stands for an IPv4 address that is a loopback address"},
    {"2002:7f00:0001::1", "stands for an IPv4 address that is a loopback address"},
    {"2002:cb00:7101:5::9", "stands for an IPv4 address that is the proxy's own address"},
    {"2002:a9fe:a9fe::1", "stands for an IPv4 address that is a link-local address"},
    {"2002:c633:6432::1", ""},
    {"2001:0:7f00:1::1", "stands for an IPv4 address that is a loopback address"},
    {"2001:0:c633:6432:0:0:80ff:fffe", "stands for an IPv4 address that is a loopback address"},
    {"2001:0:c633:6432:0:0:34ff:8efe", "stands for an IPv4 address that is the proxy's own address"},
    {"2001:0:c633:6432:0:0:39cc:9bcd", ""},
    {"2001:db8:2::5efe:127.0.0.1", "stands for an IPv4 address that is a loopback address"},
    {"2001:db8:2::200:5efe:cb00:7101", "stands for an IPv4 address that is the proxy's own address"},
    {"2001:db8:2::5efe:198.51.100.50", ""},
    {"fe80::1", "is a link-local address"},
    {"febf:ffff::1", "is a link-local address"},
    {"fe7f::1", ""},
    {"ff00::", "is a multicast address"},
    {"ff02::1", "is a multicast address"},
    {"feff::1", ""},
    {"2001:db8:1::1", "is the proxy's own address"},
    {"2001:DB8:1:0:0:0:0:1", "is the proxy's own address"},
    {"2001:db8:1::", "is the proxy's own address"},
    {"2001:db8:1::2", ""},
    {"fd00::1", ""},
    // No address, and no name either.
    {"", nullptr},
    {".", nullptr},
    {"..", nullptr},
    {" 127.0.0.1", nullptr},
    {"127.0.0.1 ", nullptr},
    {"127.1", nullptr},
    {"127.0.1", nullptr},
    {"127.0.0.1.", nullptr},
    {"127.0.0.1..", nullptr},
    {"127.0.0.01", nullptr},
    {"0177.0.0.1", nullptr},
    {"0x7f.0.0.1", nullptr},
    {"0x7f.1", nullptr},
    {"0X7F.1", nullptr},
    {"0x7f000001", nullptr},
    {"0x7F000001.", nullptr},
    {"0x", nullptr},
    {"1.0x7f", nullptr},
    {"2130706433", nullptr},
    {"017700000001", nullptr},
    {"0", nullptr},
    {"00000000177.1", nullptr},
    {"127.0.0.0x1", nullptr},
    {"256.256.256.256", nullptr},
    {"1.2.3.4.5", nullptr},
    {"127。0。0。1", nullptr},
    {"①②⑦.0.0.1", nullptr},
    {"[::1]", nullptr},
    {"::1%lo", nullptr},
    {"fe80::1%eth0", nullptr},
    {"::ffff:127.1", nullptr},
    {"::ffff:0x7f.0.0.1", nullptr},
    {"::ffff:0177.0.0.1", nullptr},
    {"0:0:0:0:0:0:0:0:1", nullptr},
    {":::1", nullptr},
    {"localhost", nullptr},
    {"LOCALHOST", nullptr},
    {"localhost.", nullptr},
    {"sub.localhost", nullptr},
    {"a.b.LocalHost.", nullptr},
    {"127.0.0.1:22", nullptr},
    {"server.example.com:22", nullptr},
    {"user@server.example.com", nullptr},
    {"server.example.com/x", nullptr},
    {"server .example.com", nullptr},
    {"server.example.com\n", nullptr},
    {"-server.example.com", nullptr},
    {"server-.example.com", nullptr},
    {"a..example.com", nullptr},
    {".example.com", nullptr},
    {"server.example.com..", nullptr},
    {"*.example.com", nullptr},
    {"http://127.0.0.1", nullptr},
};

config::Destination entry(const std::string& text) { return config::Destination::parse(text).value(); }

std::vector<config::Destination> list(const std::string& text) { return config::destination::parse_list(text).value(); }

// "refused: …", "permitted", "permitted_by_name"
std::string judged(const std::string& allowed, const std::string& denied, const Asked& asked) {
  config::Config config;
  config.proxy.allowed_destinations = list(allowed);
  config.proxy.denied_destinations = list(denied);
  config.cluster.nodes = {{"proxy1", ip("192.0.2.11")}, {"proxy2", ip("192.0.2.12")}};
  config.cluster.outside = {"wan", {*Network::parse("198.51.100.39/24"), *Network::parse("2001:db8:1::39/64")}};
  config.cluster.inside = {"lan", {*Network::parse("203.0.113.5/24")}};
  config.cluster.redis = {*Endpoint::parse("192.0.2.11:6379"), *Endpoint::parse("[2001:db8:4::6]:6379")};
  config.cluster.sentinels = {*Endpoint::parse("192.0.2.13:26379")};
  const config::destination::Surroundings here{
      kOwn, {*Network::parse("203.0.113.0/24"), *Network::parse("2001:db8:2::/64"), *Network::parse("192.0.2.130")}};
  const auto judgement = config::destination::judge({config, here}, asked);
  if (judgement.verdict == Verdict::permitted) return "permitted" + judgement.reason;
  if (judgement.verdict == Verdict::permitted_by_name) return "permitted_by_name" + judgement.reason;
  return "refused: " + judgement.reason;
}

const Asked kByAddress{"", ip("198.51.100.50"), 33001, {33001, 33001}};
const Asked kByName{"server.example.com", ip("198.51.100.50"), 33001, {33001, 33001}};

}  // namespace

TEST_CASE("destination: what is never reachable is not, in whatever writing") {
  int refused = 0;
  for (const auto& one : kSpellings) {
    CAPTURE(one.asked);
    const auto target = Target::parse(one.asked);
    if (!target || (one.why && *one.why)) ++refused;
    CHECK(target.has_value() == (one.why != nullptr));
    if (!target || !one.why) continue;
    CHECK(target->name == "");
    CHECK(config::destination::never_reachable(target->address.value(), kOwn) == one.why);
  }
  CHECK(refused > 100);
}

TEST_CASE("destination: no lease leads to the proxies themselves, whatever is allowed, in no writing") {
  for (const char* address :
       {"192.0.2.11", "192.0.2.12", "192.0.2.13", "198.51.100.39", "203.0.113.5", "2001:db8:1::39", "2001:db8:4::6",
        "::ffff:192.0.2.12", "64:ff9b::192.0.2.12", "64:ff9b::c000:20d", "2002:c000:20c::1", "::192.0.2.12",
        "::ffff:0:192.0.2.12", "2001:db8::5efe:192.0.2.12", "2001:0:c000:20c::1", "2001::3fff:fdf3"}) {
    for (const char* allowed : {"", "0.0.0.0/0 ::/0", "192.0.2.0/24 2000::/3 server.example.com"}) {
      CAPTURE(address);
      CAPTURE(allowed);
      CHECK(judged(allowed, "", {"", ip(address), 22, {33001, 33001}}).starts_with("refused: "));
      CHECK(judged(allowed, "", {"server.example.com", ip(address), 6379, {33001, 33001}}).starts_with("refused: "));
    }
  }
  CHECK(judged("0.0.0.0/0", "", {"", ip("192.0.2.14"), 22, {33001, 33001}}) == "permitted");
}

TEST_CASE("destination: without a list, no lease leads to private networks, nor to those that the host is in") {
  for (const char* address : {"10.0.0.0",
                              "10.255.255.255",
                              "172.16.0.0",
                              "172.31.255.255",
                              "192.168.0.0",
                              "192.168.255.255",
                              "100.64.0.0",
                              "100.127.255.255",
                              "192.0.0.8",
                              "198.18.0.1",
                              "198.19.255.255",
                              "192.88.99.1",
                              "fc00::1",
                              "fdff::1",
                              "fec0::1",
                              "100::1",
                              "203.0.113.7",
                              "203.0.113.254",

                              "2001:db8:2::7",
                              "64:ff9b::10.0.0.1",
                              "64:ff9b::203.0.113.7",
                              "2002:a00:1::1",
                              "2002:c0a8:101::",
                              "2002:cb00:7107::1",
                              "2001:db8::5efe:10.0.0.1",
                              "2001:db8::200:5efe:192.168.0.1",
                              "2001:0:c633:6432::f5ff:fffe",
                              "::ffff:10.0.0.1",
                              "::ffff:203.0.113.7"}) {
    CAPTURE(address);
    CHECK(judged("", "", {"", ip(address), 22, {33001, 33001}}) ==
          "refused: " + ip(address).text() + " is not among the allowed destinations");
    CHECK(judged("", "", {"server.example.com", ip(address), 22, {33001, 33001}}) ==
          "refused: server.example.com is not among the allowed destinations");
    CHECK(judged("0.0.0.0/0 ::/0", "", {"", ip(address), 22, {33001, 33001}}) == "permitted");
    CHECK(judged("server.example.com", "", {"server.example.com", ip(address), 22, {33001, 33001}}) ==
          "permitted_by_name");
  }
  for (const char* address :
       {"9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "100.63.255.255",
        "100.128.0.0", "198.17.255.255", "198.20.0.0", "203.0.114.1", "fbff::1", "2001:db8:3::1",
        "64:ff9b::198.51.100.7", "2002:c633:6407::1"}) {
    CAPTURE(address);
    CHECK(judged("", "", {"", ip(address), 22, {33001, 33001}}) == "permitted");
  }
}

TEST_CASE("destination: the log says why, the user does not learn the address of a name") {
  config::Config config;
  const auto no = config::destination::judge({config, {{}, {*Network::parse("203.0.113.0/24")}}},
                                             {"server.example.com", ip("203.0.113.7"), 22, {33001, 33001}});
  CHECK(no.reason == "server.example.com is not among the allowed destinations");
  CHECK(no.detail ==
        "server.example.com is not among the allowed destinations (203.0.113.7): this host is in the network of "
        "203.0.113.0/24, and there are no <allowed_destinations>");
}

TEST_CASE("destination: what getaddrinfo takes for an address without asking anybody is never taken for a name") {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  int numerals = 0;
  for (const auto& one : kSpellings) {
    CAPTURE(one.asked);
    addrinfo* found = nullptr;
    if (*one.asked == '\0' || ::getaddrinfo(one.asked, nullptr, &hints, &found) != 0) continue;
    ::freeaddrinfo(found);
    ++numerals;
    const auto target = Target::parse(one.asked);
    CHECK((!target || target->address));
    CHECK(asperanoded::addresses_of(one.asked).empty());
    CHECK(resolve::Lookup(one.asked, AF_INET, std::chrono::seconds(1)).fd() == -1);
  }
  CHECK(numerals > 80);
  for (const std::string numeric : {"127.1", "0x7f.1", "2130706433", "017700000001", "0", "0x7f000001", "1.2.3"}) {
    CAPTURE(numeric);
    in_addr v4{};
    REQUIRE(::inet_aton(numeric.c_str(), &v4) == 1);  // or the cases above would say nothing
    CHECK_FALSE(Target::parse(numeric));
  }
}

TEST_CASE("destination: names are taken in lower case, with one dot at the end or none") {
  const auto name = [](const std::string& text) {
    const auto target = Target::parse(text);
    return target && !target->address ? target->name : "(none)";
  };
  CHECK(name("server.example.com") == "server.example.com");
  CHECK(name("SERVER.Example.COM.") == "server.example.com");
  CHECK(name("server") == "server");
  CHECK(name("127.example") == "127.example");
  CHECK(name("0x7f.example") == "0x7f.example");
  CHECK(name("1.0x7g") == "1.0x7g");
  CHECK(name("localhost.example.com") == "localhost.example.com");
  CHECK(name("notlocalhost") == "notlocalhost");
  CHECK(name("xn--bcher-kva.example") == "xn--bcher-kva.example");
  const std::string label(63, 'a');
  CHECK(name(label + ".com") == label + ".com");
  CHECK(name(label + "a.com") == "(none)");
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'b');
  CHECK(name(longest) == longest);
  CHECK(name(longest + ".") == longest);
  CHECK(name(longest + "b") == "(none)");
  CHECK(name(std::string("a\0b.com", 7)) == "(none)");
  CHECK(name(std::string("127.0.0.1\0", 10)) == "(none)");
}

TEST_CASE("destination: entries") {
  CHECK(entry("*.Example.com:22").name == "*.example.com");
  CHECK(entry("*.example.com:22").ports == PortRange{22, 22});
  for (const char* v6 : {"[2001:db8::]/32:33001-33100", "[2001:db8::/32]:33001-33100"}) {
    CHECK(entry(v6).network->prefix == 32);
    CHECK(entry(v6).ports == PortRange{33001, 33100});
  }
  CHECK(entry("2001:db8::/32").network->prefix == 32);
  CHECK_FALSE(entry("10.0.0.0/8").ports);
  for (const char* wrong :
       {"*", "*.", "a b", "10.0.0.0/33", "server:0", "server:65536", "server:5-4", "[server]", "[10.0.0.1]:22",
        "[2001:db8::/32]/32", "[2001:db8::", "[]:22", "[2001:db8::]x:22", "server.", "127.1", "*.10.0.0.1"}) {
    CAPTURE(wrong);
    CHECK_FALSE(config::Destination::parse(wrong));
  }
}

TEST_CASE("destination: the never reachable is refused, whatever the lists say") {
  for (const std::string everything : {"", "0.0.0.0/0,::/0", "127.0.0.1,localhost.example.com,203.0.113.1"}) {
    Asked asked = kByName;
    asked.name = "localhost.example.com";
    for (const char* address : {"127.0.0.1", "203.0.113.1", "::1", "64:ff9b::127.0.0.1"}) {
      CAPTURE(address);
      asked.address = ip(address);
      CHECK(judged(everything, "", asked).starts_with("refused: localhost.example.com has an address that "));
    }
  }
  Asked asked = kByAddress;
  asked.address = ip("127.0.0.1");
  CHECK(judged("0.0.0.0/0 ::/0", "", asked) == "refused: 127.0.0.1 is a loopback address, where no lease may lead");
  asked.name = "evil.example.com";
  asked.address = ip("203.0.113.1");
  CHECK(judged("0.0.0.0/0 ::/0", "", asked) ==
        "refused: evil.example.com has an address that is the proxy's own address, where no lease may lead");
}

TEST_CASE("destination: an empty allowed list allows all, any other only what it says") {
  CHECK(judged("", "", kByAddress) == "permitted");
  CHECK(judged("", "", kByName) == "permitted");
  CHECK(judged("198.51.100.50", "", kByAddress) == "permitted");
  CHECK(judged("198.51.100.0/24", "", kByName) == "permitted");
  CHECK(judged("198.51.100.51", "", kByAddress) ==
        "refused: port 33001 of 198.51.100.50 is not among the allowed destinations");
  CHECK(judged("198.51.100.51", "", kByName) ==
        "refused: port 33001 of server.example.com is not among the allowed destinations");
  CHECK(judged("2001:db8::/32", "", kByAddress).starts_with("refused"));
}

TEST_CASE("destination: a name allows who asked by it, and says that it does") {
  CHECK(judged("server.example.com", "", kByName) == "permitted_by_name");
  CHECK(judged("SERVER.example.com", "", kByName) == "permitted_by_name");
  CHECK(judged("server.example.com", "", kByAddress).starts_with("refused"));
  CHECK(judged("server.example.com,198.51.100.50", "", kByName) == "permitted");
  CHECK(judged("*.example.com", "", kByName) == "permitted_by_name");
  CHECK(judged("*.com", "", kByName) == "permitted_by_name");
  Asked asked = kByName;
  for (const char* other : {"example.com", "example.com.evil.org", "notexample.com", "server.example.org"}) {
    CAPTURE(other);
    asked.name = other;
    CHECK(judged("*.example.com", "", asked).starts_with("refused"));
    CHECK(judged("server.example.com", "", asked).starts_with("refused"));
  }
  asked.name = "a.b.example.com";
  CHECK(judged("*.example.com", "", asked) == "permitted_by_name");
}

TEST_CASE("destination: each port needs an entry of its own") {
  CHECK(judged("198.51.100.50:33001", "", kByAddress) == "permitted");
  CHECK(judged("198.51.100.50:22", "", kByAddress).starts_with("refused: port 33001 "));
  Asked asked = kByAddress;
  asked.ssh_port = 22;
  CHECK(judged("198.51.100.50:22", "", asked).starts_with("refused: port 33001 "));
  CHECK(judged("198.51.100.50:33001", "", asked).starts_with("refused: port 22 "));
  CHECK(judged("198.51.100.50:22,198.51.100.50:33001", "", asked) == "permitted");
  asked.udp_ports = {33001, 33010};
  CHECK(judged("198.51.100.50:22,198.51.100.50:33001-33010", "", asked) == "permitted");
  CHECK(judged("198.51.100.50:22,198.51.100.50:33001-33009", "", asked).starts_with("refused: port 33010 "));
  CHECK(judged("198.51.100.50:22,198.51.100.50:33002-33010", "", asked).starts_with("refused: port 33001 "));
  CHECK(judged("198.51.100.50:22 198.51.100.50:33001-33005 198.51.100.0/24:33006-33010", "", asked) == "permitted");
  asked.name = "server.example.com";
  CHECK(judged("198.51.100.50:22 server.example.com:33001-33010", "", asked) == "permitted_by_name");
  asked.udp_ports = {65535, 65535};
  CHECK(judged("198.51.100.50:22 198.51.100.50:65535", "", asked) == "permitted");
}

TEST_CASE("destination: denied comes first, by address, name or any port") {
  const std::string refused = "refused: port 33001 of server.example.com is among the denied destinations";
  CHECK(judged("", "198.51.100.0/24", kByName) == refused);
  CHECK(judged("198.51.100.50", "198.51.100.50", kByName) == refused);
  CHECK(judged("server.example.com", "server.example.com", kByName) == refused);
  CHECK(judged("", "*.example.com", kByName) == refused);
  CHECK(judged("", "server.example.com", kByAddress) == "permitted");
  CHECK(judged("", "198.51.100.51", kByName) == "permitted");
  CHECK(judged("", "198.51.100.50:33001", kByName) == refused);
  CHECK(judged("", "198.51.100.50:22", kByName) == "permitted");
  Asked asked = kByAddress;
  asked.udp_ports = {33001, 33010};
  CHECK(judged("", "198.51.100.50:33010", asked) ==
        "refused: port 33010 of 198.51.100.50 is among the denied destinations");
  CHECK(judged("", "198.51.100.50:33011", asked) == "permitted");
}

TEST_CASE(
    "destination: a denied IPv4 network is denied in its IPv6 writings, too; an allowed one is not allowed by them") {
  Asked asked = kByAddress;
  for (const char* address : {"64:ff9b::10.1.2.3", "2002:0a01:0203::1", "2001:0:c633:6432:0:0:f5fe:fdfc",
                              "2001:db8:9::5efe:10.1.2.3", "::ffff:10.1.2.3"}) {
    CAPTURE(address);
    asked.address = ip(address);
    CHECK(judged("0.0.0.0/0 ::/0", "", asked) == "permitted");
    CHECK(judged("", "10.0.0.0/8", asked).starts_with("refused"));
    CHECK(judged("0.0.0.0/0 ::/0", "11.0.0.0/8", asked) == "permitted");
    if (!asked.address.is_v4()) CHECK(judged("10.0.0.0/8", "", asked).starts_with("refused"));
  }
}

TEST_CASE("own_addresses: loopback is among them, and what is elsewhere is not") {
  const auto own = own_addresses::read();
  const auto has = [&](const char* address) {
    for (const auto& network : own) {
      if (network.contains(ip(address))) return true;
    }
    return false;
  };
  CHECK(has("127.0.0.1"));
  CHECK(has("127.255.255.255"));
  CHECK(has("127.3.4.5"));
  CHECK_FALSE(has("198.51.100.50"));
  CHECK_FALSE(has("2001:db8:1::50"));
}

// In a network namespace of its own, with interfaces that the machine does not have.
// Exit status of the child: 0 all as expected, 1 something else, 77 it has no rights.
TEST_CASE("own_addresses: each interface's, its broadcast and first address, also where it is down, and AnyIP") {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (::unshare(CLONE_NEWNET) != 0) ::_exit(77);
    own_addresses::read();  // also where there are none
    for (const std::string command :
         {"link add one0 type bridge", "addr add 203.0.113.1/24 brd + dev one0",
          "addr add 2001:db8:2::1/64 dev one0 nodad", "link set one0 up", "link add two0 type bridge",
          "addr add 198.51.100.1/25 brd 198.51.100.127 dev two0", "addr add 192.0.2.1/32 dev one0",
          "route add local 192.0.2.128/25 dev one0"}) {
      std::vector<std::string> argv{"/usr/sbin/ip"};
      std::istringstream words(command);
      for (std::string word; words >> word;) argv.push_back(word);
      if (child::run({argv, {}, {}}, "", 65536, 10).status != 0) ::_exit(1);
    }
    const auto own = own_addresses::read();
    const auto has = [&](const char* address) {
      return std::any_of(own.begin(), own.end(), [&](const Network& network) { return network.contains(ip(address)); });
    };
    for (const char* address : {"203.0.113.1", "203.0.113.255", "203.0.113.0", "2001:db8:2::1", "2001:db8:2::",
                                "198.51.100.1", "198.51.100.127", "198.51.100.0", "192.0.2.1", "192.0.2.200"}) {
      if (!has(address)) ::_exit(1);
    }
    for (const char* address : {"203.0.113.2", "203.0.113.254", "2001:db8:2::2", "198.51.100.2", "198.51.100.128",
                                "192.0.2.2", "192.0.2.0", "192.0.2.127"}) {
      if (has(address)) ::_exit(1);
    }
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) {
    MESSAGE("needs root");
    return;
  }
  CHECK(WEXITSTATUS(status) == 0);
}
