#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "base/failure.h"
#include "base/record.h"
#include "session/session.h"

namespace {

constexpr char kId[] = "3a9fd819-59c3-42bc-b0a2-d26304a1eb84";

Record good() {
  return record::parse_one(
      "session=3a9fd819-59c3-42bc-b0a2-d26304a1eb84\nuser=bear\nclient=198.51.100.10:51512\nproxy=198.51.100.39:"
      "33001\nrule=1\n"
      "upstream_user=xfer\nhost=203.0.113.10:22\nproxy_port=33001\nudp_port=33002\nsrc_port_filtering=true\npid=4711\n"
      "started=2026-11-22T15:04:05Z\nflow=198.51.100.10:56393 203.0.113.10:33002\n");
}

Record without(const std::string& name) {
  const Record whole = good();
  Record rest;
  for (const auto& [key, value] : whole.fields()) {
    if (key != name) rest.add(key, value);
  }
  return rest;
}

int code_of(const Record& record) {
  try {
    session::Session::from_record(record);
  } catch (const tool::Failure& failure) {
    return failure.code();
  }
  return 0;
}

int code_with(const std::string& name, const std::string& value) {
  Record changed = good();
  changed.set(name, value);
  return code_of(changed);
}

// Session `number`, open and without a flow.
session::Session candidate(int number) {
  session::Session session = session::Session::from_record(without("flow"));
  session.id = fmt::format("00000000-0000-4000-8000-{:012}", number);
  session.opened = number;
  return session;
}

}  // namespace

TEST_CASE("session: a record is read, and written as it was read") {
  const auto session = session::Session::from_record(good());
  CHECK(session.id == kId);
  CHECK(session.user == "bear");
  CHECK(session.client.text() == "198.51.100.10:51512");
  CHECK(session.proxy.text() == "198.51.100.39:33001");
  CHECK(session.route.rule == 1);
  CHECK(session.route.upstream_user == "xfer");
  CHECK(session.host.text() == "203.0.113.10:22");
  CHECK(session.route.proxy_port == 33001);
  CHECK(session.route.udp_port == 33002);
  CHECK(session.route.src_port_filtering);
  CHECK(session.route.udp_linger.count() == 0);
  CHECK(session.pid == 4711);
  CHECK(session.started == "2026-11-22T15:04:05Z");
  REQUIRE(session.flow);
  CHECK(session.flow->client.text() == "198.51.100.10:56393");
  CHECK(session.flow->server.text() == "203.0.113.10:33002");
  CHECK(session.pinned());
  CHECK_FALSE(session.ports_kept());
  CHECK(session.to_record().fields() == good().fields());
}

TEST_CASE("session: what is optional survives the round trip too") {
  Record kept = without("udp_port");
  kept.set("proxy_port", "0");
  kept.add("udp_port_range", "40000:40010");
  kept.add("udp_linger", "30");
  const auto session = session::Session::from_record(kept);
  CHECK(session.ports_kept());
  CHECK(session.route.udp_port == 0);
  CHECK(session.route.udp_port_range == PortRange{40000, 40010});
  CHECK(session.route.udp_linger.count() == 30);
  const auto again = session::Session::from_record(session.to_record());
  CHECK(again.to_record().text() == session.to_record().text());
  CHECK(again.ports_kept());

  const auto unpinned = session::Session::from_record(without("flow"));
  CHECK_FALSE(unpinned.flow);
  CHECK_FALSE(unpinned.pinned());
  CHECK(unpinned.to_record().fields() == without("flow").fields());
}

TEST_CASE("session: of its route, what concerns UDP is on record, and nothing else") {
  session::Session session = session::Session::from_record(good());
  const session::Route route{.rule = 2,
                             .upstream_user = "other",
                             .keyfile = "/key",
                             .hosts = {{"server", 22}},
                             .proxy_port = 443,
                             .udp_port = 444,
                             .src_port_filtering = false,
                             .udp_linger = std::chrono::seconds(7),
                             .connect_timeout = std::chrono::seconds(8),
                             .known_hosts = "/known",
                             .bind_source_address = IpAddress::parse("203.0.113.2"),
                             .forwarding = config::Forwarding::nftables,
                             .faulty_interval = std::chrono::seconds(9),
                             .upstream_reuse = true,
                             .old_algorithms = true,
                             .keyfile_of_user = true};
  session.route = route;
  const session::Route read = session::Session::from_record(session.to_record()).route;
  CHECK(read.rule == 2);
  CHECK(read.upstream_user == "other");
  CHECK(read.proxy_port == 443);
  CHECK(read.udp_port == 444);
  CHECK_FALSE(read.src_port_filtering);
  CHECK(read.udp_linger.count() == 7);
  CHECK(read.bind_source_address == route.bind_source_address);
  CHECK(read.forwarding == config::Forwarding::nftables);

  CHECK(read.keyfile.empty());
  CHECK(read.hosts.empty());
  CHECK(read.connect_timeout == session::Route{}.connect_timeout);
  CHECK(read.known_hosts.empty());
  CHECK(read.faulty_interval == session::Route{}.faulty_interval);
  CHECK_FALSE(read.upstream_reuse);
  CHECK_FALSE(read.old_algorithms);
  CHECK_FALSE(read.keyfile_of_user);
}

TEST_CASE("session: a flow does not pin a session that filters no source port") {
  Record open = good();
  open.set("src_port_filtering", "false");
  const auto session = session::Session::from_record(open);
  CHECK(session.flow);
  CHECK_FALSE(session.pinned());
}

TEST_CASE("session: all of it may be IPv6, but families do not mix") {
  Record v6 = good();
  v6.set("client", "[2001:db8::c]:51512");
  v6.set("proxy", "[2001:db8::39]:33001");
  v6.set("host", "[2001:db8:1::10]:22");
  v6.set("flow", "[2001:db8::c]:56393 [2001:db8:1::10]:33001");
  CHECK(code_of(v6) == 0);
  for (const std::string name : {"client", "proxy", "host"}) {
    CAPTURE(name);
    CHECK(code_with(name, "[2001:db8::1]:22") == tool::bad_input);
    Record mixed = v6;
    mixed.set(name, "198.51.100.10:22");
    CHECK(code_of(mixed) == tool::bad_input);
  }
  CHECK(code_with("bind_source_address", "203.0.113.2") == 0);
  CHECK(code_with("bind_source_address", "2001:db8:1::2") == tool::bad_input);
  CHECK(code_with("bind_source_address", "203.0.113.2:22") == tool::bad_input);
  CHECK(code_with("bind_source_address", "") == tool::bad_input);
  CHECK(code_with("client", "[::ffff:198.51.100.10]:51512") == 0);  // the IPv4 address it stands for
}

TEST_CASE("session: a group is one session's id") {
  constexpr char kOther[] = "3a9fd819-59c3-42bc-b0a2-d26304a1eb85";
  CHECK(session::Session::from_record(good()).group.empty());
  Record grouped = good();
  grouped.add("group", kOther);
  const auto session = session::Session::from_record(grouped);
  CHECK(session.group == kOther);
  CHECK(session.to_record().fields() == grouped.fields());
  for (const std::string bad :
       {"", "1", "3A9FD819-59C3-42BC-B0A2-D26304A1EB85", "3a9fd819-59c3-42bc-b0a2-d26304a1eb85 ", "../3a9fd819"}) {
    CAPTURE(bad);
    CHECK(code_with("group", bad) == tool::bad_input);
  }
  grouped.add("group", kId);
  CHECK(code_of(grouped) == tool::bad_input);  // twice
  grouped = good();
  grouped.add("rival", kOther);
  CHECK(code_of(grouped) == tool::bad_input);
}

TEST_CASE("session: who opens beside sessions without a flow joins their group, and no other") {
  const session::Session first = candidate(1);
  CHECK(session::find_group(first, {}).empty());
  CHECK(session::find_group(first, {first}).empty());  // itself
  session::Session second = candidate(2);
  second.group = session::find_group(second, {first});
  CHECK(second.group == first.id);
  CHECK(second.is_rival_of(first));
  CHECK(first.is_rival_of(second));
  CHECK_FALSE(first.is_rival_of(first));

  session::Session third = candidate(3);
  third.group = session::find_group(third, {second});  // the first is over, or has its flow
  CHECK(third.group == first.id);
  CHECK(third.is_rival_of(first));

  session::Session settled = candidate(4);
  settled.flow = session::PinnedFlow{settled.client, settled.host};
  session::Session closed = candidate(5);
  closed.opened = 0;
  session::Session elsewhere = candidate(6);
  elsewhere.host = Endpoint::require("203.0.113.11:22", "host");
  session::Session stranger = candidate(7);
  stranger.client = Endpoint::require("198.51.100.11:51512", "client");
  session::Session other_address = candidate(8);
  other_address.proxy = Endpoint::require("198.51.100.40:33001", "proxy");
  for (const auto& other : {settled, closed, elsewhere, stranger, other_address}) {
    CAPTURE(other.id);
    CHECK(session::find_group(candidate(9), {other}).empty());
    CHECK_FALSE(candidate(9).is_rival_of(other));
    session::Session same_name = other;
    same_name.group = first.id;
    const bool has_ends = session::have_same_ends(first, other);
    CHECK(first.is_rival_of(same_name) == has_ends);  // a group is one of its ends only
  }
}

TEST_CASE("session: candidates of one server are of one group, whatever their ports") {
  session::Session low = candidate(1), high = candidate(2), both = candidate(3);
  for (auto* each : {&low, &high, &both}) each->route.proxy_port = 0;
  low.route.udp_port_range = {33001, 33010};
  high.route.udp_port_range = {33011, 33020};
  both.route.udp_port_range = {33001, 33020};
  high.group = session::find_group(high, {low});
  both.group = session::find_group(both, {high, low});
  CHECK(both.is_rival_of(low));
  CHECK(both.is_rival_of(high));
}

TEST_CASE("session: the record of one of very many is no longer than that of the second") {
  std::vector<session::Session> living{candidate(1)};
  for (int n = 2; n <= 300; ++n) {
    session::Session next = candidate(n);
    next.group = session::find_group(next, living);
    living.push_back(session::Session::from_record(record::parse_one(next.to_record().text())));
  }
  for (const auto& each : living) {
    for (const auto& other : living) CHECK(each.is_rival_of(other) == (each.id != other.id));
  }
}

TEST_CASE("session: each name is required, but flow and udp_linger") {
  for (const std::string name : {"session", "user", "client", "proxy", "rule", "upstream_user", "host", "proxy_port",
                                 "udp_port", "src_port_filtering", "pid", "started"}) {
    CAPTURE(name);
    CHECK(code_of(without(name)) == tool::bad_input);
  }
  CHECK(code_of(without("flow")) == 0);
  CHECK(code_of(Record{}) == tool::bad_input);
}

TEST_CASE("session: a name that is unknown, or there twice, is refused") {
  for (const std::string name : {"keyfile", "command", "domain", "known_hosts", "x"}) {
    Record more = good();
    more.add(name, "1");
    CAPTURE(name);
    CHECK(code_of(more) == tool::bad_input);
  }
  const Record once = good();
  for (const auto& [name, value] : once.fields()) {
    Record twice = once;
    twice.add(name, value);
    CAPTURE(name);
    CHECK(code_of(twice) == tool::bad_input);
  }
}

TEST_CASE("session: values at the edge of what is valid") {
  const struct {
    std::string name;
    std::string value;
    bool valid;
  } cases[] = {
      {"session", "3a9fd819-59c3-42bc-b0a2-d26304a1eb84", true},
      {"session", "3A9FD819-59C3-42BC-B0A2-D26304A1EB84", false},
      {"session", "", false},
      {"session", "../../etc/passwd", false},
      {"session", "3a9fd819-59c3-42bc-b0a2-d26304a1eb8", false},
      {"client", "198.51.100.10", false},
      {"client", "198.51.100.10:0", false},
      {"client", "name:22", false},
      {"proxy", "198.51.100.39:65536", false},
      {"host", "inside1:22", false},
      {"host", "203.0.113.10:22 -j ACCEPT", false},
      {"rule", "0", true},
      {"rule", "1000000", true},
      {"rule", "1000001", false},
      {"rule", "-1", false},
      {"rule", "1x", false},
      {"rule", "", false},
      {"proxy_port", "65535", true},
      {"proxy_port", "65536", false},
      {"proxy_port", "0", false},  // needs udp_port_range
      {"udp_port", "1", true},
      {"udp_port", "0", false},
      {"udp_port", "65536", false},
      {"src_port_filtering", "false", true},
      {"src_port_filtering", "TRUE", false},
      {"src_port_filtering", "", false},
      {"udp_linger", "0", true},
      {"udp_linger", "86400", true},
      {"udp_linger", "86401", false},
      {"pid", "0", true},
      {"pid", "4194304", true},
      {"pid", "4194305", false},
      {"pid", "99999999999999999999", false},
      {"flow", "", false},
      {"flow", "198.51.100.10:56393", false},
      {"flow", "198.51.100.10:56393 203.0.113.10", false},
      {"flow", "198.51.100.10:56393  203.0.113.10:33001", false},
      {"flow", "198.51.100.10:56393 203.0.113.10:33001 x", false},
      {"flow", "198.51.100.11:56393 203.0.113.10:33001", false},  // another client
  };
  for (const auto& c : cases) {
    CAPTURE(c.name);
    CAPTURE(c.value);
    CHECK(code_with(c.name, c.value) == (c.valid ? 0 : tool::bad_input));
  }
}

TEST_CASE("session: kept ports need a range in order") {
  for (const auto& [range, valid] : {std::pair{std::string("33001:33100"), true},
                                     {"1:65535", true},
                                     {"5:5", true},
                                     {"2:1", false},
                                     {"0:1", false},
                                     {"1:65536", false},
                                     {"", false},
                                     {":", false},
                                     {"1:", false},
                                     {"1:2:3", false}}) {
    CAPTURE(range);
    Record kept = good();
    kept.set("proxy_port", "0");
    kept.set("udp_port_range", range);
    CHECK(code_of(kept) == (valid ? 0 : tool::bad_input));
  }
}
