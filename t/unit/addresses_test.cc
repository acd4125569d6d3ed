#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "config/config.h"
#include "lease/addresses.h"

namespace {

std::vector<Network> networks(const std::vector<std::string>& texts) {
  std::vector<Network> found;
  for (const auto& text : texts) {
    const IpAddress address = IpAddress::parse(text).value();
    found.push_back({address, address.is_v4() ? 24 : 64});
  }
  return found;
}

std::string text_of(const std::optional<IpAddress>& address) { return address ? address->text() : "none"; }

// "eth0 198.51.100.1 none, eth1 …"
std::string text_of(const lease::text::Ways& ways) {
  std::string text;
  for (const auto& way : ways)
    text += (text.empty() ? "" : ", ") + way.interface + " " + text_of(way.v4) + " " + text_of(way.v6);
  return text;
}

}  // namespace

TEST_CASE("addresses: clients call the first address inside of their family") {
  config::Cluster cluster;
  cluster.outside = {"wan", networks({"198.51.100.1", "2001:db8:1::1"})};
  CHECK_FALSE(lease::addresses::host_of(cluster, true));
  CHECK_FALSE(lease::addresses::host_of(cluster, false));
  cluster.inside = {"lan", networks({"203.0.113.1", "203.0.113.2"})};
  CHECK(text_of(lease::addresses::host_of(cluster, true)) == "203.0.113.1");
  CHECK_FALSE(lease::addresses::host_of(cluster, false));
  cluster.inside.addresses = networks({"2001:db8:2::1", "203.0.113.2", "2001:db8:2::2"});
  CHECK(text_of(lease::addresses::host_of(cluster, true)) == "203.0.113.2");
  CHECK(text_of(lease::addresses::host_of(cluster, false)) == "2001:db8:2::1");
}

TEST_CASE("addresses: flows leave each shared interface by its first address of their family") {
  struct Case {
    config::Shared outside;
    config::Shared inside;
    std::string ways;
  };
  const config::Shared none;
  const config::Shared wan{"wan", networks({"198.51.100.1", "198.51.100.2"})};
  const config::Shared lan{"lan", networks({"2001:db8:2::1", "203.0.113.1", "203.0.113.2", "2001:db8:2::2"})};
  config::Shared same = lan;
  same.interface = "wan";
  for (const auto& each : {Case{none, none, ""}, Case{{"wan", {}}, {"lan", {}}, ""},
                           Case{wan, none, "wan 198.51.100.1 none"}, Case{none, lan, "lan 203.0.113.1 2001:db8:2::1"},
                           Case{wan, lan, "wan 198.51.100.1 none, lan 203.0.113.1 2001:db8:2::1"},
                           Case{wan, same, "wan 198.51.100.1 none"}}) {
    config::Cluster cluster;
    cluster.outside = each.outside;
    cluster.inside = each.inside;
    CHECK(text_of(lease::addresses::ways_of(cluster)) == each.ways);
  }
}
