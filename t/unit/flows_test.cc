#include <doctest/doctest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/address.h"
#include "firewall/flows.h"
#include "kernel/connmark.h"
#include "kernel/conntrack.h"
#include "session/session.h"

namespace {

using conntrack::Flow;

Endpoint endpoint(const std::string& text) { return Endpoint::require(text, "test"); }

// From one client to one server: UDP 33001 of the proxy is 33002 there.
session::Session open_session() {
  session::Session made;
  made.client = endpoint("198.51.100.10:51512");
  made.proxy = endpoint("198.51.100.39:22");
  made.host = endpoint("203.0.113.10:22");
  made.route.proxy_port = 33001;
  made.route.udp_port = 33002;
  return made;
}

// All of 40000 to 40010 is the same port there.
session::Session session_with_kept_ports() {
  session::Session made = open_session();
  made.route.proxy_port = made.route.udp_port = 0;
  made.route.udp_port_range = {40000, 40010};
  return made;
}

Flow flow(const std::string& client, const std::string& proxy, const std::string& server) {
  Flow made;
  made.client = endpoint(client);
  made.proxy = endpoint(proxy);
  made.server = endpoint(server);
  made.mark = connmark::kSuite;
  return made;
}

Flow good_flow() { return flow("198.51.100.10:56393", "198.51.100.39:33001", "203.0.113.10:33002"); }

session::Session pinned_to(session::Session one, const Flow& its) {
  one.flow = session::PinnedFlow{its.client, its.server};
  return one;
}

}  // namespace

TEST_CASE("flows: a flow is a lease's by the lease's own bit of the mark") {
  Flow one = good_flow();
  for (const auto& [mark, is_lease] : {std::pair{0U, false},
                                       {connmark::kSuite, false},
                                       {~connmark::kLeaseBit, false},
                                       {connmark::kLeaseBit, true},
                                       {connmark::kLease, true},
                                       {~0U, true}}) {
    CAPTURE(mark);
    one.mark = mark;
    CHECK(firewall::flows::is_of_lease(one) == is_lease);
    CHECK(firewall::flows::belongs(open_session(), one) == !is_lease);
  }
}

TEST_CASE("flows: an open rule translates what comes from its client, from any port, to its proxy port") {
  struct Case {
    const char* client;
    const char* proxy;
    bool taken;
  };
  for (const auto& each :
       {Case{"198.51.100.10:1", "198.51.100.39:33001", true}, Case{"198.51.100.10:65535", "198.51.100.39:33001", true},
        Case{"198.51.100.11:51512", "198.51.100.39:33001", false},
        Case{"198.51.100.10:51512", "198.51.100.40:33001", false},
        Case{"198.51.100.10:51512", "198.51.100.39:33000", false},
        Case{"198.51.100.10:51512", "198.51.100.39:33002", false},
        Case{"198.51.100.10:51512", "198.51.100.39:22", false}}) {
    CAPTURE(std::string(each.client) + " " + each.proxy);
    CHECK(firewall::flows::would_take(open_session(), endpoint(each.client), endpoint(each.proxy)) == each.taken);
    const session::Session pinned = pinned_to(open_session(), good_flow());  // makes no difference
    CHECK(firewall::flows::would_take(pinned, endpoint(each.client), endpoint(each.proxy)) == each.taken);
  }
}

TEST_CASE("flows: kept ports are taken from the first to the last of the range") {
  for (const auto& [port, taken] :
       {std::pair<Port, bool>{39999, false}, {40000, true}, {40010, true}, {40011, false}}) {
    CAPTURE(port);
    const Endpoint proxy{endpoint("198.51.100.39:1").ip, port};
    CHECK(firewall::flows::would_take(session_with_kept_ports(), endpoint("198.51.100.10:1"), proxy) == taken);
  }
}

TEST_CASE("flows: a session accounts for the flow to its server and the port that its rule says") {
  struct Case {
    const char* client;
    const char* proxy;
    const char* server;
    bool belongs;
  };
  for (const auto& each : {Case{"198.51.100.10:56393", "198.51.100.39:33001", "203.0.113.10:33002", true},
                           Case{"198.51.100.10:1", "198.51.100.39:33001", "203.0.113.10:33002", true},
                           Case{"198.51.100.10:56393", "198.51.100.39:33001", "203.0.113.11:33002", false},
                           Case{"198.51.100.10:56393", "198.51.100.39:33001", "203.0.113.10:33001", false},
                           Case{"198.51.100.10:56393", "198.51.100.39:33001", "203.0.113.10:33003", false},
                           Case{"198.51.100.10:56393", "198.51.100.39:33001", "198.51.100.39:33001", false},
                           Case{"198.51.100.11:56393", "198.51.100.39:33001", "203.0.113.10:33002", false},
                           Case{"198.51.100.10:56393", "198.51.100.40:33001", "203.0.113.10:33002", false},
                           Case{"198.51.100.10:56393", "198.51.100.39:33002", "203.0.113.10:33002", false}}) {
    const Flow one = flow(each.client, each.proxy, each.server);
    CAPTURE(one.client.text() + " " + one.proxy.text() + " " + one.server.text());
    CHECK(firewall::flows::belongs(open_session(), one) == each.belongs);
  }
}

TEST_CASE("flows: where ports are kept, that of the server is not looked at") {
  const session::Session kept = session_with_kept_ports();
  CHECK(firewall::flows::belongs(kept, flow("198.51.100.10:1", "198.51.100.39:40000", "203.0.113.10:40000")));
  CHECK(firewall::flows::belongs(kept, flow("198.51.100.10:1", "198.51.100.39:40010", "203.0.113.10:1")));
  CHECK_FALSE(firewall::flows::belongs(kept, flow("198.51.100.10:1", "198.51.100.39:40011", "203.0.113.10:40011")));
  CHECK_FALSE(firewall::flows::belongs(kept, flow("198.51.100.10:1", "198.51.100.39:40000", "203.0.113.11:40000")));
}

TEST_CASE("flows: a pinned session accounts for its own flow only, an unfiltered one for all") {
  const session::Session pinned = pinned_to(open_session(), good_flow());
  const Flow other = flow("198.51.100.10:56394", "198.51.100.39:33001", "203.0.113.10:33002");
  CHECK(firewall::flows::belongs(pinned, good_flow()));
  CHECK_FALSE(firewall::flows::belongs(pinned, other));
  session::Session unfiltered = pinned;
  unfiltered.route.src_port_filtering = false;
  CHECK(firewall::flows::belongs(unfiltered, good_flow()));
  CHECK(firewall::flows::belongs(unfiltered, other));
}

TEST_CASE("flows: a session's flow is the one with both its ends") {
  const session::Session with_flow = pinned_to(open_session(), good_flow());
  CHECK(firewall::flows::is_flow_of(with_flow, good_flow()));
  CHECK_FALSE(firewall::flows::is_flow_of(open_session(), good_flow()));
  CHECK_FALSE(
      firewall::flows::is_flow_of(with_flow, flow("198.51.100.10:56394", "198.51.100.39:33001", "203.0.113.10:33002")));
  CHECK_FALSE(
      firewall::flows::is_flow_of(with_flow, flow("198.51.100.10:56393", "198.51.100.39:33001", "203.0.113.10:33003")));
}

TEST_CASE("flows: the proxy's end of a flow has the proxy's port, or the server's where ports are kept") {
  CHECK(firewall::flows::proxy_end(pinned_to(open_session(), good_flow())).text() == "198.51.100.39:33001");
  const Flow kept = flow("198.51.100.10:56393", "198.51.100.39:40007", "203.0.113.10:40007");
  CHECK(firewall::flows::proxy_end(pinned_to(session_with_kept_ports(), kept)).text() == "198.51.100.39:40007");
}

TEST_CASE("flows: open rules collide where client, proxy and a port are the same") {
  struct Case {
    const char* what;
    std::function<void(session::Session&)> change;
    bool collides;
  };
  const std::vector<Case> cases{
      {"the same", [](session::Session&) {}, true},
      {"another server", [](session::Session& other) { other.host = endpoint("203.0.113.11:22"); }, true},
      {"another port there", [](session::Session& other) { other.route.udp_port = 1; }, true},
      {"another port of the client", [](session::Session& other) { other.client.port = 1; }, true},
      {"another client", [](session::Session& other) { other.client = endpoint("198.51.100.11:51512"); }, false},
      {"another proxy", [](session::Session& other) { other.proxy = endpoint("198.51.100.40:22"); }, false},
      {"the port before", [](session::Session& other) { other.route.proxy_port = 33000; }, false},
      {"the port after", [](session::Session& other) { other.route.proxy_port = 33002; }, false}};
  for (const auto& each : cases) {
    CAPTURE(std::string(each.what));
    session::Session other = open_session();
    each.change(other);
    CHECK(firewall::flows::collide(open_session(), other) == each.collides);
    CHECK(firewall::flows::collide(other, open_session()) == each.collides);
  }
}

TEST_CASE("flows: ranges of kept ports collide as soon as they share one") {
  struct Case {
    PortRange range;
    bool collides;
  };
  for (const auto& each :
       {Case{{40000, 40010}, true}, Case{{39990, 40000}, true}, Case{{40010, 40020}, true}, Case{{40005, 40005}, true},
        Case{{39990, 40020}, true}, Case{{39990, 39999}, false}, Case{{40011, 40020}, false}}) {
    CAPTURE(each.range.text());
    session::Session other = session_with_kept_ports();
    other.route.udp_port_range = each.range;
    CHECK(firewall::flows::collide(session_with_kept_ports(), other) == each.collides);
    CHECK(firewall::flows::collide(other, session_with_kept_ports()) == each.collides);
  }
  session::Session single = open_session();
  for (const auto& [port, collides] :
       {std::pair<Port, bool>{39999, false}, {40000, true}, {40010, true}, {40011, false}}) {
    CAPTURE(port);
    single.route.proxy_port = port;
    CHECK(firewall::flows::collide(single, session_with_kept_ports()) == collides);
  }
}
