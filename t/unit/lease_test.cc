#include <doctest/doctest.h>
#include <netinet/in.h>

#include <string>

#include "base/failure.h"
#include "kernel/connmark.h"
#include "lease/flows.h"
#include "lease/lease.h"
#include "lease/life.h"
#include "lease/text.h"

namespace {

using std::chrono::seconds;

lease::Lease make_lease(bool v4 = true) {
  lease::Lease lease;
  lease.id = "3a9fd819-59c3-42bc-b0a2-d26304a1eb84";
  lease.user = "alice";
  lease.client = *IpAddress::parse(v4 ? "203.0.113.20" : "2001:db8:2::20");
  lease.proxy = *IpAddress::parse(v4 ? "203.0.113.1" : "2001:db8:2::1");
  lease.address = *IpAddress::parse(v4 ? "198.51.100.50" : "2001:db8:1::50");
  lease.destination = "server.example.com";
  lease.ssh_port = 5000;
  lease.udp_ports = {5000, 5001};
  lease.destination_udp_ports = {33001, 33002};
  lease.lifetime = seconds(180);
  lease.started = "2026-11-22T15:04:05Z";
  lease.deadline = seconds(1180);
  return lease;
}

conntrack::Flow make_flow(const lease::Lease& lease, std::uint8_t protocol, Port port) {
  conntrack::Flow flow;
  flow.protocol = protocol;
  flow.client = {lease.client, 40000};
  flow.proxy = {lease.proxy, port};
  flow.server = {lease.address, 22};
  flow.mark = connmark::kLease;
  return flow;
}

std::size_t count(const std::string& text, const std::string& word) {
  std::size_t found = 0;
  for (auto at = text.find(word); at != text.npos; at = text.find(word, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("a lease is on record as it was") {
  lease::Lease lease = make_lease();
  lease.packets = 7;
  lease.ending = true;
  const lease::Lease again = lease::Lease::from_record(lease.to_record());
  CHECK(again.to_record().text() == lease.to_record().text());
  CHECK(again.ending);
  CHECK(again.packets == 7);
  CHECK(again.owner() == "user=alice");
  lease.user.clear();
  CHECK(lease::Lease::from_record(lease.to_record()).owner() == "client=203.0.113.20");
}

TEST_CASE("a lease record that cannot be is refused") {
  for (const auto& [name, value] : {std::pair{"lease", "x"},
                                    {"client", "2001:db8::1"},
                                    {"client", "inner"},
                                    {"ssh_port", "0"},
                                    {"ssh_port", "5001"},
                                    {"udp_ports", "5000:5002"},
                                    {"udp_ports", "5001:5000"},
                                    {"destination_udp_ports", "1:100"},
                                    {"deadline", "-1"},
                                    {"lifetime", "1.5"},
                                    {"lifetime", "9223372036854775807"},  // now and this are more than there is
                                    {"renew_seconds", "1000000001"},
                                    {"deadline", "9223372036854775807"},
                                    {"colour", "red"}}) {
    CAPTURE(name);
    Record record = make_lease().to_record();
    record.set(name, value);
    CHECK_THROWS_AS(lease::Lease::from_record(record), tool::Failure);
  }
}

TEST_CASE("each port of a lease is an element of the map of its family") {
  const auto elements = lease::text::elements_of(make_lease());
  REQUIRE(elements.size() == 3);
  CHECK(elements[0].map == "lease4");
  CHECK(elements[0].key == "203.0.113.20 . 203.0.113.1 . tcp . 5000");
  CHECK(elements[0].value == "198.51.100.50 . 22");
  CHECK(elements[2].key == "203.0.113.20 . 203.0.113.1 . udp . 5001");
  CHECK(elements[2].value == "198.51.100.50 . 33002");
  CHECK(lease::text::elements_of(make_lease(false))[1].key == "2001:db8:2::20 . 2001:db8:2::1 . udp . 5000");
  CHECK(lease::text::elements_of(make_lease(false))[1].map == "lease6");
}

TEST_CASE("an element ends with its lease") {
  const std::string text = lease::text::open({make_lease()}, seconds(1000));
  CHECK(text.starts_with("add element inet sallyport_lease lease4 {\n"));
  CHECK(text.find("203.0.113.20 . 203.0.113.1 . tcp . 5000 timeout 180s comment "
                  "\"3a9fd819-59c3-42bc-b0a2-d26304a1eb84\" : 198.51.100.50 . 22") != text.npos);
  CHECK(lease::text::timeout_of(make_lease(), seconds(1179)) == seconds(1));
  CHECK(lease::text::timeout_of(make_lease(), seconds(2000)) == seconds(1));
  lease::Lease lazy = make_lease();
  lazy.lifetime = seconds(0);
  CHECK(lease::text::timeout_of(lazy, seconds(2000)) == lease::text::kTimeoutWithoutLifetime);
}

TEST_CASE("many leases are one command for each map") {
  const std::vector<lease::Lease> leases{make_lease(), make_lease(false), make_lease()};
  CHECK(count(lease::text::open(leases, seconds(0)), "add element") == 2);
  CHECK(count(lease::text::renew(leases, seconds(0)), "delete element") == 2);
  CHECK(count(lease::text::renew(leases, seconds(0)), "add element") == 4);
  CHECK(lease::text::open({}, seconds(0)).empty());
  CHECK(lease::text::close({}).empty());
}

TEST_CASE("what closes succeeds also where something is missing: it adds before it deletes") {
  const std::string text = lease::text::close({make_lease()});
  CHECK(text.find("add element") < text.find("delete element"));
  CHECK(text.find("delete element") != text.npos);
}

TEST_CASE("a flow is that of the lease whose client and port it has") {
  const std::vector<lease::Lease> leases{make_lease(), make_lease(false)};
  const lease::flows::Index index(leases);
  CHECK(index.of(make_flow(leases[0], IPPROTO_TCP, 5000)) == &leases[0]);
  CHECK(index.of(make_flow(leases[0], IPPROTO_TCP, 5001)) == nullptr);
  CHECK(index.of(make_flow(leases[0], IPPROTO_UDP, 5001)) == &leases[0]);
  CHECK(index.of(make_flow(leases[0], IPPROTO_UDP, 5002)) == nullptr);
  CHECK(index.of(make_flow(leases[1], IPPROTO_UDP, 5000)) == &leases[1]);
  auto other = make_flow(leases[0], IPPROTO_UDP, 5000);
  other.client.ip = *IpAddress::parse("203.0.113.21");
  CHECK(index.of(other) == nullptr);
}

TEST_CASE("only both bits of the mark are a lease's") {
  auto flow = make_flow(make_lease(), IPPROTO_UDP, 5000);
  CHECK(lease::flows::is_marked(flow));
  flow.mark = connmark::kSuite;
  CHECK_FALSE(lease::flows::is_marked(flow));
  flow.mark = connmark::kLeaseBit;
  CHECK_FALSE(lease::flows::is_marked(flow));
}

TEST_CASE("a lease without a lifetime lives on when it carried something since the last look") {
  const auto look = [](std::uint64_t before, std::optional<std::uint64_t> carried, bool counts, bool by_flows = true) {
    std::vector<lease::Lease> leases{make_lease()};
    if (by_flows) leases[0].lifetime = seconds(0);
    leases[0].packets = before;
    std::vector<conntrack::Flow> flows;
    if (carried) {
      flows.push_back(make_flow(leases[0], IPPROTO_UDP, 5000));
      if (counts) flows[0].counters = conntrack::Counters{*carried, 1};
    }
    const auto changed = lease::life::note_packets(leases, flows, seconds(2000));
    if (!changed.empty()) CHECK(changed[0].deadline == seconds(2060));
    return !changed.empty();
  };
  CHECK(look(0, 1, true));
  CHECK_FALSE(look(1, 1, true));
  CHECK(look(9, 1, true));  // another flow than then
  CHECK_FALSE(look(0, std::nullopt, true));
  CHECK_FALSE(look(9, std::nullopt, true));
  CHECK(look(0, 0, false));  // the kernel does not count
  CHECK_FALSE(look(0, 1, true, false));
}

TEST_CASE("renewed, a lease has its lifetime again; without one, a minute") {
  lease::Lease lease = make_lease();
  CHECK(lease::life::deadline_of(lease, seconds(1000)) == seconds(1180));
  lease.lifetime = seconds(0);
  CHECK(lease::life::deadline_of(lease, seconds(1000)) == seconds(1060));
}
