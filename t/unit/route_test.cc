#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/failure.h"
#include "base/paths.h"
#include "base/record.h"
#include "session/route.h"

namespace {

constexpr char kText[] =
    "rule=2\nupstream_user=xfer\nkeyfile=/key\nhost=10.0.0.10:22\nhost=server:2222\nproxy_port=33001\nudp_port=33002\n"
    "src_port_filtering=true\n\n";

Record good() { return record::parse_one(kText); }

// `good` with another value of `name`, or with that name besides.
Record with(const std::string& name, const std::string& value) {
  Record changed = good();
  changed.set(name, value);
  return changed;
}

Record without(const std::string& name) {
  Record rest;
  const Record whole = good();
  for (const auto& [key, value] : whole.fields()) {
    if (key != name) rest.add(key, value);
  }
  return rest;
}

std::string complaint(const Record& record) {
  try {
    session::Route::from_record(record);
  } catch (const tool::Failure& failure) {
    CHECK(failure.code() == tool::bad_input);
    return failure.what();
  }
  return "";
}

}  // namespace

TEST_CASE("route: a record is read, and written as it was read") {
  const session::Route route = session::Route::from_record(good());
  CHECK(route.rule == 2);
  CHECK(route.upstream_user == "xfer");
  CHECK(route.keyfile == "/key");
  CHECK(route.hosts == std::vector<HostPort>{{"10.0.0.10", 22}, {"server", 2222}});
  CHECK(route.proxy_port == 33001);
  CHECK(route.udp_port == 33002);
  CHECK(route.src_port_filtering);
  CHECK(route.known_hosts == paths::kKnownHosts);
  CHECK(route.to_record().text() == kText);
}

TEST_CASE("route: what has its default is left out, and what has not is in the order of the manual page") {
  const std::string text =
      "rule=1\nupstream_user=xfer\nkeyfile=/key\nhost=h:22\nproxy_port=0\nudp_port_range=40000:40010\n"
      "src_port_filtering=false\nudp_linger=30\nconnect_timeout=5\nfaulty_interval=60\nknown_hosts=/known\n"
      "bind_source_address=10.0.0.1\nforwarding=nftables\nupstream_reuse=true\nold_algorithms=true\n\n";
  const session::Route route = session::Route::from_record(record::parse_one(text));
  CHECK(route.proxy_port == 0);
  CHECK(route.udp_port_range == PortRange{40000, 40010});
  CHECK_FALSE(route.src_port_filtering);
  CHECK(route.udp_linger.count() == 30);
  CHECK(route.connect_timeout.count() == 5);
  CHECK(route.faulty_interval.count() == 60);
  CHECK(route.known_hosts == "/known");
  CHECK(route.bind_source_address == IpAddress::parse("10.0.0.1"));
  CHECK(route.forwarding == config::Forwarding::nftables);
  CHECK(route.upstream_reuse);
  CHECK(route.old_algorithms);
  CHECK(route.to_record().text() == text);
}

TEST_CASE("route: a record of few names has the rest by default") {
  const session::Route route =
      session::Route::from_record(record::parse_one("upstream_user=xfer\nkeyfile=/key\nhost=h:22\n"));
  const session::Route defaults;
  CHECK(route.rule == 0);
  CHECK(route.proxy_port == 33001);
  CHECK(route.udp_port == 33001);
  CHECK(route.udp_port_range == defaults.udp_port_range);
  CHECK(route.src_port_filtering);
  CHECK(route.udp_linger == defaults.udp_linger);
  CHECK(route.connect_timeout == defaults.connect_timeout);
  CHECK(route.faulty_interval == defaults.faulty_interval);
  CHECK_FALSE(route.bind_source_address);
  CHECK(route.forwarding == config::Forwarding::iptables);
  CHECK_FALSE(route.upstream_reuse);
}

TEST_CASE("route: the port on the server is that of the proxy unless it is said") {
  const Record record = record::parse_one("upstream_user=xfer\nkeyfile=/key\nhost=h:22\nproxy_port=443\n");
  CHECK(session::Route::from_record(record).udp_port == 443);
}

TEST_CASE("route: account, key and host are required, and other names are refused") {
  for (const std::string name : {"upstream_user", "keyfile", "host"}) {
    CAPTURE(name);
    CHECK(complaint(without(name)).find(name) != std::string::npos);
  }
  CHECK_FALSE(complaint(with("keyfile_of_user", "true")).empty());
  CHECK_FALSE(complaint(with("pid", "1")).empty());
  Record twice = good();
  twice.add("rule", "3");
  CHECK_FALSE(complaint(twice).empty());
}

TEST_CASE("route: each value has its form and its limits") {
  struct Case {
    std::string name;
    std::string value;
    bool valid;
  };
  const std::vector<Case> cases{
      {"rule", "0", true},
      {"rule", "1000000", true},
      {"rule", "1000001", false},
      {"rule", "-1", false},
      {"rule", "", false},
      {"rule", "1 ", false},
      {"proxy_port", "0", true},
      {"proxy_port", "65535", true},
      {"proxy_port", "65536", false},
      {"udp_port", "0", true},
      {"udp_port", "65535", true},
      {"udp_port", "65536", false},
      {"udp_port_range", "1:65535", true},
      {"udp_port_range", "2:1", false},
      {"udp_port_range", "0:1", false},
      {"udp_port_range", "1:65536", false},
      {"udp_port_range", "1-2", false},
      {"src_port_filtering", "false", true},
      {"src_port_filtering", "TRUE", false},
      {"src_port_filtering", "1", false},
      {"src_port_filtering", "", false},
      {"upstream_reuse", "false", true},
      {"upstream_reuse", "yes", false},
      {"old_algorithms", "yes", false},
      {"udp_linger", "0", true},
      {"udp_linger", "86400", true},
      {"udp_linger", "86401", false},
      {"connect_timeout", "86400", true},
      {"connect_timeout", "86401", false},
      {"faulty_interval", "86400", true},
      {"faulty_interval", "86401", false},
      {"faulty_interval", "1.5", false},
      {"bind_source_address", "2001:db8::1", true},
      {"bind_source_address", "10.0.0.1:22", false},
      {"bind_source_address", "", false},
      {"forwarding", "nftables", true},
      {"forwarding", "iptables", false},
      {"forwarding", "", false},
  };
  for (const auto& each : cases) {
    CAPTURE(each.name + "=" + each.value);
    CHECK(complaint(with(each.name, each.value)).empty() == each.valid);
  }
}

TEST_CASE("route: each host has a port") {
  for (const auto& [host, valid] : {std::pair<std::string, bool>{"h:1", true},
                                    {"h:65535", true},
                                    {"[2001:db8::1]:22", true},
                                    {"h", false},
                                    {"h:0", false},
                                    {"h:65536", false},
                                    {"h:", false},
                                    {":22", false},
                                    {"", false}}) {
    CAPTURE(host);
    Record record = good();
    record.add("host", host);  // behind two good ones
    CHECK(complaint(record).empty() == valid);
  }
}
