#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "config/config.h"
#include "lease/admission.h"
#include "lease/lease.h"

namespace {

using std::chrono::seconds;

IpAddress ip(const std::string& text) { return IpAddress::parse(text).value(); }

const std::vector<Network> kOwn = {*Network::parse("203.0.113.2"), *Network::parse("203.0.113.1")};

// A node whose clients call 203.0.113.1 and 2001:db8:2::1, with ports 5000 to 5009.
config::Config node() {
  config::Config config;
  config.proxy.enabled = true;
  config.proxy.port_range_low = 5000;
  config.proxy.port_range_high = 5009;
  config.cluster.inside.addresses = {{ip("203.0.113.1"), 24}, {ip("2001:db8:2::1"), 64}};
  return config;
}

lease::Lease good() {
  lease::Lease lease;
  lease.id = "3a9fd819-59c3-42bc-b0a2-d26304a1eb84";
  lease.user = "alice";
  lease.client = ip("203.0.113.20");
  lease.proxy = ip("203.0.113.1");
  lease.address = ip("198.51.100.50");
  lease.destination = "server.example.com";
  lease.ssh_port = 5000;
  lease.udp_ports = {5000, 5001};
  lease.destination_udp_ports = {33001, 33002};
  lease.lifetime = seconds(180);
  lease.started = "2026-11-22T15:04:05Z";
  return lease;
}

std::string complaint(const lease::Lease& lease, const config::Config& config = node()) {
  return lease::admission::complaint(lease, config, {kOwn, {}});
}

}  // namespace

TEST_CASE("admission: a lease as this node gives them is taken, whatever is optional") {
  CHECK(complaint(good()) == "");
  struct Case {
    const char* what;
    std::function<void(lease::Lease&)> change;
  };
  const std::vector<Case> cases{
      {"without a user", [](lease::Lease& lease) { lease.user.clear(); }},
      {"without a lifetime", [](lease::Lease& lease) { lease.lifetime = seconds(0); }},
      {"a day long", [](lease::Lease& lease) { lease.lifetime = lease.renew_seconds = seconds(86400); }},
      {"with the last ports",
       [](lease::Lease& lease) {
         lease.ssh_port = 5008;
         lease.udp_ports = {5008, 5009};
       }},
      {"to an address", [](lease::Lease& lease) { lease.destination = lease.address.text(); }},
      {"by IPv6", [](lease::Lease& lease) {
         lease.client = ip("2001:db8:2::20");
         lease.proxy = ip("2001:db8:2::1");
         lease.address = ip("2001:db8:1::50");
       }}};
  for (const auto& each : cases) {
    CAPTURE(std::string(each.what));
    lease::Lease lease = good();
    each.change(lease);
    CHECK(complaint(lease) == "");
  }
}

TEST_CASE("admission: a lease that this node would never have given is refused") {
  struct Case {
    std::string complaint;
    std::function<void(lease::Lease&)> change;
  };
  const std::vector<Case> cases{
      {"it lives too long", [](lease::Lease& lease) { lease.lifetime = seconds(86401); }},
      {"it lives too long", [](lease::Lease& lease) { lease.renew_seconds = seconds(86401); }},
      {"its user is not a valid name", [](lease::Lease& lease) { lease.user = "../alice"; }},
      {"its user is not a valid name", [](lease::Lease& lease) { lease.user = "alice\n"; }},
      {"its beginning is not a time", [](lease::Lease& lease) { lease.started = "now"; }},
      {"its beginning is not a time", [](lease::Lease& lease) { lease.started = std::string(33, '0'); }},
      {"its address is not the shared one inside", [](lease::Lease& lease) { lease.proxy = ip("203.0.113.2"); }},
      {"its address is not the shared one inside", [](lease::Lease& lease) { lease.client = ip("2001:db8:2::20"); }},
      {"its ports are outside of the range",
       [](lease::Lease& lease) {
         lease.ssh_port = 4999;
         lease.udp_ports = {4999, 5000};
       }},
      {"its ports are outside of the range",
       [](lease::Lease& lease) {
         lease.ssh_port = 5009;
         lease.udp_ports = {5009, 5010};
       }},
      {"its client is this node", [](lease::Lease& lease) { lease.client = ip("203.0.113.2"); }},
      {"its destination is neither a name nor an address", [](lease::Lease& lease) { lease.destination = "127.1"; }},
      {"its destination is neither a name nor an address", [](lease::Lease& lease) { lease.destination = ""; }}};
  for (const auto& each : cases) {
    CAPTURE(each.complaint);
    lease::Lease lease = good();
    each.change(lease);
    CHECK(complaint(lease) == each.complaint);
  }
}

TEST_CASE("admission: where a lease leads is judged by this node's lists, and never to the node itself") {
  lease::Lease own = good();
  own.address = ip("203.0.113.2");
  CHECK(complaint(own) != "");
  config::Config config = node();
  config.proxy.denied_destinations = {*config::Destination::parse("198.51.100.0/24")};
  CHECK(complaint(good(), config) != "");
  config = node();
  config.proxy.allowed_destinations = {*config::Destination::parse("server.example.com:22-33002")};
  CHECK(complaint(good(), config) == "");
  config.proxy.allowed_destinations = {*config::Destination::parse("server.example.com:22-33001")};
  CHECK(complaint(good(), config) != "");
}

TEST_CASE("admission: a node that shares no address inside takes none") {
  config::Config config = node();
  config.cluster.inside.addresses.clear();
  CHECK(complaint(good(), config) == "its address is not the shared one inside");
}
