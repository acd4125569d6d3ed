#include <doctest/doctest.h>

#include <string>

#include "base/address.h"
#include "firewall/firewall.h"
#include "session/session.h"

namespace {

using config::Forwarding;
using firewall::Part;

session::Session session_from(const std::string& client, Forwarding forwarding) {
  session::Session session;
  session.client = Endpoint::require(client, "client");
  session.route.forwarding = forwarding;
  return session;
}

}  // namespace

TEST_CASE("firewall: a session is forwarded by the part that its record names, in the client's family") {
  struct Case {
    const char* client;
    Forwarding forwarding;
    Part part;
    const char* name;
  };
  for (const auto& each : {Case{"198.51.100.10:51512", Forwarding::iptables, Part::iptables, "IPv4"},
                           Case{"[2001:db8::c]:51512", Forwarding::iptables, Part::ip6tables, "IPv6"},
                           Case{"198.51.100.10:51512", Forwarding::nftables, Part::nftables, "nftables"},
                           Case{"[2001:db8::c]:51512", Forwarding::nftables, Part::nftables, "nftables"},
                           Case{"[::ffff:198.51.100.10]:51512", Forwarding::iptables, Part::iptables, "IPv4"}}) {
    CAPTURE(std::string(each.client));
    const session::Session session = session_from(each.client, each.forwarding);
    CHECK(firewall::part_of(session) == each.part);
    CHECK(firewall::backend_of(session).name() == std::string(each.name));
    CHECK(&firewall::backend_of(session) == &firewall::backend(each.part));
  }
}

TEST_CASE("firewall: each part is a backend of its own, and only that of nftables has to be renewed") {
  for (const Part one : firewall::kParts) {
    for (const Part other : firewall::kParts)
      CHECK((&firewall::backend(one) == &firewall::backend(other)) == (one == other));
    CHECK(firewall::backend(one).renewal().has_value() == (one == Part::nftables));
  }
  CHECK(firewall::backend(Part::nftables).renewal()->count() == 20);
}
