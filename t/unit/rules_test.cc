#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/failure.h"
#include "base/paths.h"
#include "config/config.h"
#include "session/rules.h"

namespace {

using Lines = std::vector<std::string>;
using Names = std::vector<std::string>;

config::Rproxy rproxy(const std::string& rules) {
  return config::parse(
             "<CONF><server><rproxy><enabled>true</enabled><rules>\n" + rules + "\n</rules></rproxy></server></CONF>",
             "test")
      .rproxy;
}

// One rule on a line of its own, so that rule 1 stands on line 2.
std::string rule(const std::string& attributes, const std::string& more = "") {
  return "<rule " + attributes + "><host>inside1</host><keyfile>/k</keyfile>" + more + "</rule>\n";
}

session::Request asked_at(const std::string& proxy = "7.7.7.7:33001", const std::string& domain = "") {
  session::Request asked;
  asked.user = "bear";
  asked.client = *Endpoint::parse(proxy[0] == '[' ? "[2001:db8::c]:51512" : "198.51.100.10:51512");
  asked.proxy = *Endpoint::parse(proxy);
  if (!domain.empty()) asked.domain = HostPort::parse(domain);
  return asked;
}

std::optional<session::Route> match(const config::Rproxy& rules, const session::Request& asked,
                                    const Names& groups = {}) {
  return session::rules::first_match(rules, asked, {[&](const std::string&) { return groups; }, {}});
}

Lines explain(const config::Rproxy& rules, const session::Request& asked, const Names& groups = {}) {
  Lines lines;
  session::rules::first_match(
      rules, asked,
      {[&](const std::string&) { return groups; }, [&](const std::string& line) { lines.push_back(line); }});
  return lines;
}

}  // namespace

TEST_CASE("rules: host_ip is the address that the client connected to, or a network around it") {
  const struct {
    std::string host_ip;
    std::string proxy;
    bool matches;
  } cases[] = {
      {"7.7.7.7", "7.7.7.7:33001", true},
      {"7.7.7.7", "7.7.7.8:33001", false},
      {"7.7.7.7/32", "7.7.7.7:22", true},
      {"7.7.7.0/24", "7.7.7.255:33001", true},
      {"7.7.7.0/24", "7.7.8.0:33001", false},
      {"7.7.7.128/25", "7.7.7.127:33001", false},
      {"7.7.7.9/24", "7.7.7.1:33001", true},
      {"0.0.0.0/0", "7.7.7.7:33001", true},
      {"0.0.0.0/0", "[2001:db8::1]:33001", false},
      {"::/0", "7.7.7.7:33001", false},
      {"2001:db8::1", "[2001:db8::1]:33001", true},
      {"2001:DB8:0::1", "[2001:db8::1]:33001", true},
      {"2001:db8::1", "[2001:db8::2]:33001", false},
      {"2001:db8::/64", "[2001:db8::ffff]:33001", true},
      {"2001:db8::/64", "[2001:db8:0:1::]:33001", false},
      {"::ffff:7.7.7.7", "7.7.7.7:33001", true},
      {"198.51.100.10", "7.7.7.7:33001", false},  // the client's address is not what counts
  };
  for (const auto& c : cases) {
    CAPTURE(c.host_ip);
    CAPTURE(c.proxy);
    CHECK(match(rproxy(rule(std::string("host_ip=\"") + c.host_ip + "\"")), asked_at(c.proxy)).has_value() ==
          c.matches);
  }
}

TEST_CASE("rules: host_domain is the name the client asked for, in any case, its port only when given") {
  const struct {
    std::string host_domain;
    std::string asked;
    bool matches;
  } cases[] = {
      {"faspex.example.com", "faspex.example.com", true},
      {"FASPEX.example.com", "faspex.EXAMPLE.com", true},
      {"faspex.example.com", "faspex.example.com:9999", true},
      {"faspex.example.com:33001", "faspex.example.com:33001", true},
      {"faspex.example.com:33001", "faspex.example.com:33002", false},
      {"faspex.example.com:33001", "faspex.example.com", true},  // asked for at the port connected to, 33001
      {"faspex.example.com:22", "faspex.example.com", false},
      {"faspex.example.com", "example.com", false},
      {"example.com", "faspex.example.com", false},
      {"example.com", "example.com.evil.net", false},
      {"faspex.example.com", "", false},
      {"10.0.0.1", "10.0.0.1", true},
      {"2001:db8::1", "2001:DB8::1", true},
  };
  for (const auto& c : cases) {
    CAPTURE(c.host_domain);
    CAPTURE(c.asked);
    CHECK(match(rproxy(rule(std::string("host_domain=\"") + c.host_domain + "\"")), asked_at("7.7.7.7:33001", c.asked))
              .has_value() == c.matches);
  }
}

TEST_CASE("rules: with both attributes both must match, with none everything does") {
  const auto both = rproxy(rule("host_ip=\"7.7.7.7\" host_domain=\"a.example\""));
  CHECK(match(both, asked_at("7.7.7.7:22", "a.example")));
  CHECK_FALSE(match(both, asked_at("7.7.7.8:22", "a.example")));
  CHECK_FALSE(match(both, asked_at("7.7.7.7:22", "b.example")));
  CHECK_FALSE(match(both, asked_at("7.7.7.7:22")));
  const auto none = rproxy(rule(""));
  CHECK(match(none, asked_at("7.7.7.7:22")));
  CHECK(match(none, asked_at("[2001:db8::1]:22", "b.example")));
}

TEST_CASE("rules: the first that matches wins, from top to bottom") {
  const auto rules =
      rproxy(rule("host_ip=\"7.7.7.8\"") + rule("host_ip=\"7.7.7.0/24\"", "<squash_user>second</squash_user>") +
             rule("host_ip=\"7.7.7.7\"", "<squash_user>third</squash_user>") + rule(""));
  CHECK(match(rules, asked_at("7.7.7.8:22"))->rule == 1);
  CHECK(match(rules, asked_at("7.7.7.7:22"))->rule == 2);
  CHECK(match(rules, asked_at("7.7.7.7:22"))->upstream_user == "second");
  CHECK(match(rules, asked_at("8.8.8.8:22"))->rule == 4);
}

TEST_CASE("rules: users and groups say who may use a rule") {
  const auto rules = rproxy(rule("", "<users>bobcat,lynx</users>") + rule("", "<groups>staff</groups>") +
                            rule("", "<users>wolf</users><groups>partners</groups>"));
  auto asked = asked_at();
  CHECK_FALSE(match(rules, asked));
  CHECK_FALSE(match(rules, asked, {"staf", "staffs", "bobcat"}));
  CHECK(match(rules, asked, {"users", "staff"})->rule == 2);
  CHECK(match(rules, asked, {"partners"})->rule == 3);
  asked.user = "lynx";
  CHECK(match(rules, asked)->rule == 1);
  asked.user = "wolf";
  CHECK(match(rules, asked)->rule == 3);
  asked.user = "Lynx";
  CHECK_FALSE(match(rules, asked));
}

TEST_CASE("rules: the groups of a user are asked for only when a rule names groups") {
  int asked = 0;
  const session::rules::Facts facts{[&](const std::string& user) {
                                      ++asked;
                                      CHECK(user == "bear");
                                      return Names{"staff"};
                                    },
                                    {}};
  CHECK_FALSE(session::rules::first_match(rproxy(rule("", "<users>lynx</users>")), asked_at(), facts));
  CHECK(session::rules::first_match(rproxy(rule("")), asked_at(), facts));
  CHECK(asked == 0);
  CHECK(session::rules::first_match(rproxy(rule("", "<groups>staff</groups>")), asked_at(), facts));
  CHECK(asked == 1);
}

TEST_CASE("rules: the account is the user's own unless squashed, and the key file may name the user") {
  CHECK(match(rproxy(rule("")), asked_at())->upstream_user == "bear");
  CHECK(match(rproxy(rule("", "<squash_user>xfer</squash_user>")), asked_at())->upstream_user == "xfer");
  const auto squashed = rproxy(
      "<rule><host>a</host><keyfile>/keys/$(user)/$(name).$(user)</keyfile><squash_user>xfer</squash_user></rule>");
  CHECK(match(squashed, asked_at())->keyfile == "/keys/bear/bear.bear");
}

TEST_CASE("rules: expansion knows $(user) and $(name), and does not expand twice") {
  CHECK(session::rules::expand_user("/a", "bear") == "/a");
  CHECK(session::rules::expand_user("/$(user)$(user)", "bear") == "/bearbear");
  CHECK(session::rules::expand_user("/$user/${user}/$(USER)", "bear") == "/$user/${user}/$(USER)");
  CHECK(session::rules::expand_user("/$(user)", "$(user)") == "/$(user)");
  CHECK(session::rules::expand_user("", "bear").empty());
}

TEST_CASE("rules: a route carries everything that the rule says") {
  auto rules = rproxy(
      "<rule><hosts><host>10.0.0.10</host><host>b:2222</host></hosts><keyfile>/k</keyfile><proxy_port>443</proxy_port>"
      "<udp_port>33002</udp_port><src_port_filtering>false</src_port_filtering><udp_linger>30</udp_linger>"
      "<connect_timeout>5</connect_timeout><bind_source_address>10.0.0.1</bind_source_address></rule>");
  rules.known_hosts = "/kh";
  const auto route = *match(rules, asked_at());
  CHECK(route.rule == 1);
  REQUIRE(route.hosts.size() == 2);
  CHECK(route.hosts[0].text() == "10.0.0.10:22");
  CHECK(route.hosts[1].text() == "b:2222");
  CHECK(route.proxy_port == 443);
  CHECK(route.udp_port == 33002);
  CHECK_FALSE(route.src_port_filtering);
  CHECK(route.udp_linger.count() == 30);
  CHECK(route.connect_timeout.count() == 5);
  CHECK(route.bind_source_address->text() == "10.0.0.1");
  CHECK(route.known_hosts == "/kh");
  CHECK(match(rproxy(rule("")), asked_at())->known_hosts == paths::kKnownHosts);
}

TEST_CASE("rules: the UDP port inside is that of the proxy unless it is given") {
  CHECK(match(rproxy(rule("")), asked_at())->udp_port == 33001);
  CHECK(match(rproxy(rule("", "<proxy_port>443</proxy_port>")), asked_at())->udp_port == 443);
  CHECK(match(rproxy(rule("", "<proxy_port>443</proxy_port><udp_port>1</udp_port>")), asked_at())->udp_port == 1);
}

TEST_CASE("rules: proxy_port 0 and udp_port_reuse false both keep the ports") {
  for (const std::string more : {"<proxy_port>0</proxy_port>", "<udp_port_reuse>false</udp_port_reuse>",
                                 "<proxy_port>443</proxy_port><udp_port_reuse>false</udp_port_reuse>"}) {
    CAPTURE(more);
    const auto route =
        *match(rproxy(rule("", std::string(more) + "<udp_port_range>40000:40010</udp_port_range>")), asked_at());
    CHECK(route.proxy_port == 0);
    CHECK(route.udp_port == 0);
    CHECK(route.udp_port_range == PortRange{40000, 40010});
    CHECK(route.to_record().get("udp_port_range") == "40000:40010");
    CHECK_FALSE(route.to_record().get("udp_port"));
  }
}

TEST_CASE("rules: nothing matches while the reverse proxy is off") {
  auto rules = rproxy(rule(""));
  rules.enabled = false;
  CHECK_FALSE(match(rules, asked_at()));
  CHECK(explain(rules, asked_at()) == Lines{"the reverse proxy is off: <rproxy><enabled> is not true"});
}

TEST_CASE("rules: each rule is explained, up to the one that matches") {
  const auto rules = rproxy(rule("host_ip=\"7.7.8.0/24\"") + rule("host_domain=\"a.example:22\"") +
                            rule("", "<users>lynx</users>") + rule("", "<groups>staff,ops</groups>") +
                            rule("host_ip=\"7.7.7.7\" host_domain=\"b.example\"", "<users>bear</users>") + rule(""));
  CHECK(explain(rules, asked_at("7.7.7.7:33001", "b.example")) ==
        Lines{"rule 1 (line 2): no: host_ip 7.7.8.0/24 does not contain 7.7.7.7",
              "rule 2 (line 3): no: host_domain a.example:22 is not b.example:33001",
              "rule 3 (line 4): no: bear is not among users lynx or groups -",
              "rule 4 (line 5): no: bear is not among users - or groups staff,ops",
              "rule 5 (line 6): match: host_ip 7.7.7.7/32 contains 7.7.7.7, host_domain b.example is b.example, bear "
              "may use it"});
  CHECK(explain(rules, asked_at("7.7.7.7:33001")).back() == "rule 6 (line 7): match: no conditions");
  CHECK(explain(rules, asked_at())[1] == "rule 2 (line 3): no: host_domain a.example:22: the client named no host");
  CHECK(explain(rproxy(rule("host_ip=\"7.7.7.8\"")), asked_at()).back() == "no rule matches");
  CHECK(explain(rproxy(""), asked_at()) == Lines{"there are no rules"});
}

TEST_CASE("rules: a name is only worth a look when it decides") {
  const std::string any = rule(""), here = rule("host_ip=\"7.7.7.7\""), elsewhere = rule("host_ip=\"7.7.7.8\"");
  const std::string named = rule("host_domain=\"a.example\"");
  const std::string named_elsewhere = rule("host_ip=\"7.7.7.8\" host_domain=\"a.example\"");
  const std::string named_lynx = rule("host_domain=\"a.example\"", "<users>lynx</users>");
  const std::string named_staff = rule("host_domain=\"a.example\"", "<groups>staff</groups>");
  const struct {
    std::string rules;
    bool depends;
  } cases[] = {
      {"", false},
      {any, false},
      {named, true},
      {named + any, true},
      {any + named, false},
      {here + named, false},
      {elsewhere + named, true},
      {elsewhere + any + named, false},
      {named_elsewhere + any, false},
      {named_elsewhere, false},
      {named_lynx + any, false},
      {named_lynx + named, true},
      {named_staff + any, true},
      {rule("host_domain=\"a.example:22\"") + any, true},
  };
  for (const auto& c : cases) {
    CAPTURE(c.rules);
    const session::rules::Facts facts{[](const std::string&) { return Names{"staff"}; }, {}};
    CHECK(session::rules::depends_on_domain(rproxy(c.rules), asked_at(), facts) == c.depends);
    CHECK(session::rules::depends_on_domain(rproxy(c.rules), asked_at("7.7.7.7:33001", "b.example"), facts) ==
          c.depends);
    auto off = rproxy(c.rules);
    off.enabled = false;
    CHECK_FALSE(session::rules::depends_on_domain(off, asked_at(), facts));
  }
}

TEST_CASE("rules: hosts of the other family are left out, and a rule without any left cannot serve") {
  const auto served = [](const std::string& hosts, const std::string& proxy, bool udp = true,
                         const std::string& more = "") -> std::string {
    auto asked = asked_at(proxy);
    asked.udp = udp;
    std::string out;
    try {
      const auto route =
          match(rproxy("<rule><hosts>" + hosts + "</hosts><keyfile>/k</keyfile>" + more + "</rule>"), asked);
      for (const auto& host : route->hosts) out += host.text() + " ";
    } catch (const tool::Failure& failure) {
      CHECK(failure.code() == tool::config);
      return failure.what();
    }
    return out;
  };
  const std::string v4 = "7.7.7.7:33001";
  const std::string v6 = "[2001:db8::1]:33001";
  const std::string both = "<host>10.0.0.1</host><host>2001:db8:b::1</host><host>inside</host>";
  const std::string translated = ": the UDP cannot be translated between them";
  CHECK(served(both, v4) == "10.0.0.1:22 inside:22 ");
  CHECK(served(both, v6) == "[2001:db8:b::1]:22 inside:22 ");
  CHECK(served(both, v4, false) == "10.0.0.1:22 inside:22 ");  // the same as for transfers
  CHECK(served(both, v6, false) == "[2001:db8:b::1]:22 inside:22 ");
  CHECK(served("<host>10.0.0.1</host>", v4) == "10.0.0.1:22 ");
  CHECK(served("<host>10.0.0.1</host>", v6) ==
        "rule 1 (line 2): client 2001:db8::c comes by IPv6, but 10.0.0.1:22 is IPv4" + translated);
  CHECK(served("<host>2001:db8:b::1</host><host>2001:db8:b::2</host>", v4) ==
        "rule 1 (line 2): client 198.51.100.10 comes by IPv4, but [2001:db8:b::1]:22,[2001:db8:b::2]:22 is IPv6" +
            translated);
  CHECK(served("<host>10.0.0.1</host>", v6, false) == "10.0.0.1:22 ");
  CHECK(served("<host>::ffff:10.0.0.1</host>", v4) == "10.0.0.1:22 ");
  const std::string bind = "<bind_source_address>10.0.0.9</bind_source_address>";
  CHECK(served("<host>inside</host>", v4, true, bind) == "inside:22 ");
  CHECK(served("<host>inside</host>", v6, true, bind) ==
        "rule 1 (line 2): client 2001:db8::c comes by IPv6, but bind_source_address 10.0.0.9 is IPv4" + translated);
  CHECK(served("<host>inside</host>", v6, false, bind) == "inside:22 ");
}

TEST_CASE("rules: -e says which hosts are left out") {
  const auto lines = explain(
      rproxy("<rule><hosts><host>10.0.0.1</host><host>2001:db8:b::1</host></hosts><keyfile>/k</keyfile></rule>"),
      asked_at());
  CHECK(lines == Lines{"rule 1 (line 2): match: no conditions",
                       "rule 1 (line 2): without [2001:db8:b::1]:22: the client comes by IPv4"});
}
