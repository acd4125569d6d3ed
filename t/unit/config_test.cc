#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>

#include "base/failure.h"
#include "base/paths.h"
#include "config/config.h"
#include "config/schema.h"
#include "config/xml.h"

namespace {

using namespace std::chrono_literals;
using config::Config;

Config parse(const std::string& text) { return config::parse(text, "aspera.conf"); }

// What is wrong with `text`, without the file's name; "(nothing)" when it is
// accepted, "exit N: …" when the exit code is not the one for configuration.
std::string complaint(const std::string& text) {
  try {
    parse(text);
  } catch (const tool::Failure& failure) {
    const std::string why = failure.what();
    if (failure.code() != tool::config) return "exit " + std::to_string(failure.code()) + ": " + why;
    return why.starts_with("aspera.conf:") ? why.substr(12) : "unnamed file: " + why;
  }
  return "(nothing)";
}

// `more` stands alone on line 3.
std::string rproxy(const std::string& more) {
  return "<CONF version=\"2\">\n<server><rproxy>\n" + more + "\n</rproxy></server></CONF>\n";
}

// An rproxy that is on; `rules` stand alone on line 3.
std::string enabled(const std::string& rules) {
  return "<CONF version=\"2\">\n<server><rproxy><enabled>true</enabled><rules>\n" + rules +
         "\n</rules></rproxy></server></CONF>\n";
}

// `more` stands alone on line 5.
std::string rule(const std::string& more, const std::string& attributes = "") {
  return "<CONF version=\"2\">\n<server><rproxy><enabled>true</enabled><rules>\n<rule" + attributes +
         ">\n<host>10.0.0.10</host><keyfile>/k</keyfile>\n" + more + "\n</rule></rules></rproxy></server></CONF>\n";
}

config::Rule only_rule(const std::string& text) {
  const auto parsed = parse(text);
  REQUIRE(parsed.rproxy.rules.size() == 1);
  return parsed.rproxy.rules[0];
}

// Elements nested `depth` deep, the document element counted.
std::string nested(int depth) {
  std::string open = "<CONF>";
  std::string close;
  for (int i = 1; i < depth; ++i) {
    open += "<x>";
    close += "</x>";
  }
  return open + close + "</CONF>";
}

// A file in a directory of its own, gone at the end.
struct TemporaryFile {
  std::string directory;
  std::string path;
  explicit TemporaryFile(const std::string& text) {
    char name[] = "/tmp/sallyport-config-XXXXXX";
    REQUIRE(::mkdtemp(name));
    directory = name;
    path = directory + "/aspera.conf";
    std::ofstream(path) << text;
  }
  ~TemporaryFile() {
    ::unlink(path.c_str());
    ::rmdir(path.c_str());
    ::rmdir(directory.c_str());
  }
};

int load_code(const std::string& path, config::Author author = config::Author::anyone) {
  try {
    config::load(path, author);
  } catch (const tool::Failure& failure) {
    return failure.code();
  }
  return 0;
}

}  // namespace

TEST_CASE("config: what is not written has the default of the guide") {
  const auto nothing = parse("<CONF version=\"2\"/>").rproxy;
  CHECK_FALSE(nothing.enabled);
  CHECK(nothing.log_level == 0);
  CHECK(nothing.log_directory.empty());
  CHECK(nothing.known_hosts == paths::kKnownHosts);
  CHECK(nothing.max_sessions == 0);
  CHECK(nothing.max_sessions_per_user == 0);
  CHECK(nothing.iptables_sessions == 16);
  CHECK(nothing.rules.empty());
  CHECK(parse("<CONF version=\"2\"/>").max_flows_per_client == 512);
  CHECK(parse("<CONF><server><max_flows_per_client>0</max_flows_per_client></server></CONF>").max_flows_per_client ==
        0);

  const auto least = only_rule(rule(""));
  CHECK(least.number == 1);
  CHECK(least.line == 3);
  CHECK_FALSE(least.host_ip);
  CHECK_FALSE(least.host_domain);
  REQUIRE(least.hosts.size() == 1);
  CHECK(least.hosts[0].text() == "10.0.0.10:22");
  CHECK_FALSE(least.balanced);
  CHECK(least.squash_user.empty());
  CHECK(least.keyfile == "/k");
  CHECK(least.proxy_port == 33001);
  CHECK_FALSE(least.udp_port);
  CHECK(least.udp_port_range == PortRange{33001, 33100});
  CHECK(least.src_port_filtering);
  CHECK(least.udp_port_reuse);
  CHECK(least.udp_linger == 0s);
  CHECK(least.udp_linger_limit == std::chrono::hours(7 * 24));
  CHECK_FALSE(least.bind_source_address);
  CHECK(least.forwarding == config::Forwarding::iptables);
  CHECK(least.users.empty());
  CHECK(least.groups.empty());
  CHECK(least.faulty_interval == 120s);
  CHECK(least.connect_timeout == 10s);
  CHECK(least.max_sessions == 0);
  CHECK_FALSE(least.upstream_reuse);
  CHECK_FALSE(least.old_algorithms);
}

// Code makes values of these types itself, too; the file's defaults are the table's.
TEST_CASE("config: a type's own defaults are those of the table of options") {
  const auto nothing = parse("<CONF version=\"2\"/>");
  config::Rproxy rproxy;
  rproxy.known_hosts = paths::kKnownHosts;
  CHECK(nothing.rproxy == rproxy);
  CHECK(nothing.proxy == config::Proxy{});
  CHECK(nothing.cluster == config::Cluster{});
  auto least = only_rule(rule(""));
  least.number = 0;
  least.line = 0;
  least.hosts.clear();
  least.keyfile.clear();
  CHECK(least == config::Rule{});
}

TEST_CASE("config: of two server sections, each gives what the other does not") {
  const auto both = parse("<CONF><server><http_port>8080</http_port><enable_http>true</enable_http></"
                          "server><server><https_port>8443</https_port></server></CONF>")
                        .node;
  REQUIRE(both.listeners.size() == 2);
  CHECK(both.listeners[0].port == 8080);
  CHECK(both.listeners[1].port == 8443);
}

TEST_CASE("config: every option of rproxy is read") {
  const auto all =
      parse(rproxy("<enabled>true</enabled><log_level>2</log_level><log_directory>/var/log/a</log_directory>"
                   "<known_hosts>/etc/kh</known_hosts><max_sessions>7</max_sessions><max_sessions_per_user>3</"
                   "max_sessions_per_user><iptables_sessions>5</iptables_sessions><rules/>"))
          .rproxy;
  CHECK(all.enabled);
  CHECK(all.log_level == 2);
  CHECK(all.log_directory == "/var/log/a");
  CHECK(all.known_hosts == "/etc/kh");
  CHECK(all.max_sessions == 7);
  CHECK(all.max_sessions_per_user == 3);
  CHECK(all.iptables_sessions == 5);
}

TEST_CASE("config: values of the original and of other products are oddities, and what they are for is denied") {
  CHECK(parse(rproxy("<enabled>true</enabled><log_level>5</log_level><rules/>")).rproxy.log_level == 2);
  const std::string access =
      "<CONF>\n<default><file_system><access><paths><path><absolute>AS_NULL</absolute>\n<read_allowed>yes</"
      "read_allowed>"
      "<dir_allowed>AS_NULL</dir_allowed></path></paths></access></file_system></default></CONF>";
  auto document = config::xml::parse(access, "f");
  config::schema::forget_nulls(document);
  config::schema::check(document, "f");
  const auto odd = config::schema::oddities(document);
  REQUIRE(odd.size() == 1);
  CHECK(odd[0].line == 3);
  CHECK(odd[0].text == "read_allowed: 'yes' is not valid; expected true or false");
  const auto nulls = parse(rproxy("<enabled>true</enabled><log_directory>AS_NULL</log_directory><rules><rule>"
                                  "<host>10.0.0.1</host><keyfile>/k</keyfile><squash_user>AS_NULL</squash_user>"
                                  "</rule></rules>"))
                         .rproxy;
  CHECK(nulls.log_directory.empty());
  CHECK(nulls.rules[0].squash_user.empty());
}

TEST_CASE("config: every option of a rule is read") {
  const auto all =
      only_rule(R"(<conf><server><rproxy><rules><rule host_ip="7.7.8.0/24" host_domain="Faspex.Example.COM:33001">
    <hosts><host>10.0.0.10</host><host>[2001:db8::1]:2222</host><host>Inside1.example.com</host></hosts>
    <balancing>round_robin</balancing>
    <squash_user>xfer</squash_user>
    <keyfile> /keys/$(user)/id_rsa
    </keyfile>
    <proxy_port>443</proxy_port>
    <udp_port>33002</udp_port>
    <udp_port_range>40000:40010</udp_port_range>
    <src_port_filtering>false</src_port_filtering>
    <udp_linger>30</udp_linger>
    <udp_linger_limit>31</udp_linger_limit>
    <forwarding_type>nftables</forwarding_type>
    <users>bear, bobcat</users>
    <groups>partners
            staff</groups>
    <faulty_interval>60</faulty_interval>
    <connect_timeout>5</connect_timeout>
    <max_sessions>9</max_sessions>
    <upstream_reuse>true</upstream_reuse>
    <old_algorithms>true</old_algorithms>
  </rule></rules></rproxy></server></conf>)");
  CHECK(all.host_ip->contains(*IpAddress::parse("7.7.8.9")));
  CHECK(all.host_domain == HostPort{"faspex.example.com", 33001});
  REQUIRE(all.hosts.size() == 3);
  CHECK(all.hosts[0].text() == "10.0.0.10:22");
  CHECK(all.hosts[1].text() == "[2001:db8::1]:2222");
  CHECK(all.hosts[2].text() == "inside1.example.com:22");
  CHECK(all.balanced);
  CHECK(all.squash_user == "xfer");
  CHECK(all.keyfile == "/keys/$(user)/id_rsa");
  CHECK(all.proxy_port == 443);
  CHECK(all.udp_port == 33002);
  CHECK(all.udp_port_range == PortRange{40000, 40010});
  CHECK_FALSE(all.src_port_filtering);
  CHECK(all.udp_linger == 30s);
  CHECK(all.udp_linger_limit == 31s);
  CHECK(only_rule(rule("<bind_source_address>10.0.0.1</bind_source_address>")).bind_source_address ==
        IpAddress::parse("10.0.0.1"));
  CHECK_FALSE(only_rule(rule("<udp_port_reuse>false</udp_port_reuse>")).udp_port_reuse);
  CHECK(all.forwarding == config::Forwarding::nftables);
  CHECK(all.users == std::vector<std::string>{"bear", "bobcat"});
  CHECK(all.groups == std::vector<std::string>{"partners", "staff"});
  CHECK(all.faulty_interval == 60s);
  CHECK(all.connect_timeout == 5s);
  CHECK(all.max_sessions == 9);
  CHECK(all.upstream_reuse);
  CHECK(all.old_algorithms);
}

TEST_CASE("config: the guide's other spelling of src_port_filtering works") {
  CHECK_FALSE(only_rule(rule("<source_port_filtering>false</source_port_filtering>")).src_port_filtering);
}

TEST_CASE("config: an empty element means the default") {
  const auto least = only_rule(rule("<squash_user/><proxy_port></proxy_port><udp_port> </udp_port><src_port_filtering/>"
                                    "<balancing/><bind_source_address/><connect_timeout/>"));
  CHECK(least.squash_user.empty());
  CHECK(least.proxy_port == 33001);
  CHECK_FALSE(least.udp_port);
  CHECK(least.src_port_filtering);
  CHECK(least.connect_timeout == 10s);
  CHECK_FALSE(parse(rproxy("<enabled/><log_level/><known_hosts/>")).rproxy.enabled);
}

TEST_CASE("config: rules keep their order, number and line") {
  const auto rules = parse(R"(<CONF><server><rproxy><rules>
<rule><host>a</host><keyfile>/k</keyfile></rule>

<rule><host>b</host><keyfile>/k</keyfile></rule></rules></rproxy></server></CONF>)")
                         .rproxy.rules;
  REQUIRE(rules.size() == 2);
  CHECK(rules[0].number == 1);
  CHECK(rules[0].line == 2);
  CHECK(rules[1].number == 2);
  CHECK(rules[1].line == 4);
  CHECK(rules[1].hosts[0].text() == "b:22");
}

TEST_CASE("config: values at the edge of what is valid") {
  const struct {
    std::string element;
    std::string value;
    bool valid;
  } cases[] = {
      {"proxy_port", "0", true},
      {"proxy_port", "65535", true},
      {"proxy_port", "65536", false},
      {"proxy_port", "-1", false},
      {"udp_port", "1", true},
      {"udp_port", "0", false},
      {"udp_port", "65535", true},
      {"udp_port", "65536", false},
      {"udp_port_range", "1:65535", true},
      {"udp_port_range", "33001:33001", true},
      {"udp_port_range", "33001", true},
      {"udp_port_range", "0:1", false},
      {"udp_port_range", "33002:33001", false},
      {"udp_port_range", "33001:65536", false},
      {"udp_port_range", "33001:33002:33003", false},
      {"udp_port_range", "33001-33002", false},
      {"udp_port_range", "33001:", false},
      {"udp_port_range", ":33001", false},
      {"udp_linger", "0", true},
      {"udp_linger", "86400", true},
      {"udp_linger", "86401", false},
      {"udp_linger_limit", "0", false},
      {"udp_linger_limit", "1", true},
      {"udp_linger_limit", "2592000", true},
      {"udp_linger_limit", "2592001", false},
      {"faulty_interval", "1", true},
      {"faulty_interval", "0", false},
      {"faulty_interval", "86401", false},
      {"connect_timeout", "1", true},
      {"connect_timeout", "0", false},
      {"connect_timeout", "86400", true},
      {"connect_timeout", "86401", false},
      {"max_sessions", "0", true},
      {"max_sessions", "1000000", true},
      {"max_sessions", "1000001", false},
      {"max_sessions", "9999999999999999999999", false},
      {"src_port_filtering", "true", true},
      {"src_port_filtering", "True", false},
      {"src_port_filtering", "1", false},
      {"upstream_reuse", "true", true},
      {"upstream_reuse", "1", false},
      {"old_algorithms", "true", true},
      {"old_algorithms", "sha1", false},
      {"src_port_filtering", "yes", false},
      {"udp_port_reuse", "false", true},
      {"udp_port_reuse", "FALSE", false},
      {"forwarding_type", "iptables", true},
      {"forwarding_type", "nft", false},
      {"balancing", "round_robin", true},
      {"balancing", "random", false},
      {"bind_source_address", "10.0.0.1", true},
      {"bind_source_address", "10.0.0.1:22", false},
      {"bind_source_address", "eth0", false},
      {"squash_user", "xfer", true},
      {"squash_user", "-x", false},
      {"squash_user", "a/b", false},
      {"squash_user", "a b", true},
      {"squash_user", "a:b", false},
      {"squash_user", "x\xC3\xA4", true},
      {"squash_user", "CORP\\xfer", true},
      {"users", ",", false},
      {"groups", " , ,", false},
      {"connect_timeout", "5s", false},
      {"connect_timeout", "1.5", false},
      {"connect_timeout", "+5", false},
      {"connect_timeout", "0x10", false},
  };
  for (const auto& c : cases) {
    const std::string text = rule(std::string("<") + c.element + ">" + c.value + "</" + c.element + ">");
    CAPTURE(c.element);
    CAPTURE(c.value);
    CAPTURE(complaint(text));
    CHECK((complaint(text) == "(nothing)") == c.valid);
  }
  CHECK_NOTHROW(parse(rule("<squash_user>" + std::string(200, 'a') + "</squash_user>")));
  CHECK_THROWS(parse(rule("<squash_user>" + std::string(201, 'a') + "</squash_user>")));
}

TEST_CASE("config: each mistake is named with file, line, column and element") {
  const std::string host_help = "; expected address[:port] or name[:port], an IPv6 address with port in brackets";
  const struct {
    std::string text;
    std::string complaint;
  } cases[] = {
      {rproxy("<enabled>yes</enabled>"), "3:1: enabled: 'yes' is not valid; expected true or false"},
      {rproxy("  <enabled>true</enabled><enabled>true</enabled>"), "3:26: enabled: is there twice in rproxy"},
      {rproxy("<log_level>debug</log_level>"), "3:1: log_level: 'debug' is not valid; expected a number from 0 to 2"},
      {rproxy("<log_level>-1</log_level>"), "3:1: log_level: '-1' is not valid; expected a number from 0 to 2"},
      {rproxy("<log_directory>logs</log_directory>"),
       "3:1: log_directory: 'logs' is not valid; expected an absolute path"},
      {rproxy("<known_hosts>~/kh</known_hosts>"), "3:1: known_hosts: '~/kh' is not valid; expected an absolute path"},
      {rproxy("<enable>true</enable>"), "3:1: enable: unknown element in rproxy"},
      {rproxy("<ENABLED>true</ENABLED>"), "3:1: ENABLED: unknown element in rproxy"},
      {rproxy("<enabled now=\"1\">true</enabled>"), "3:1: enabled: unknown attribute 'now'"},
      {rproxy("<enabled><b/></enabled>"), "3:10: b: does not belong inside enabled"},
      {rproxy("<rules x=\"1\"><rule/></rules>"), "3:1: rules: unknown attribute 'x'"},
      {rproxy("<rules><role/></rules>"), "3:8: role: unknown element in rules"},
      {enabled("<rule><keyfile>/k</keyfile></rule>"), "3:1: rule: needs a <host> (or <hosts>)"},
      {enabled("<rule><host>a</host></rule>"), "3:1: rule: needs a <keyfile>"},
      {enabled("<rule><host>a</host><keyfile/></rule>"), "3:1: rule: needs a <keyfile>"},
      {"<CONF>\n<server><rproxy a=\"b\"/></server></CONF>", "2:9: rproxy: unknown attribute 'a'"},
      {"<CONF><server><rproxy/>\n <rproxy/></server></CONF>", "2:2: rproxy: is there twice in server"},
      {"<CONF><server><rproxy/></server>\n<server><rproxy/></server></CONF>", "2:9: rproxy: is there twice in server"},
      {"\n\n<config/>", "3:1: config: the document element must be <CONF version=\"2\">"},
      {rule("<port>22</port>"), "5:1: port: unknown element in rule"},
      {rule("<hosts><host>a</host></hosts>"), "5:1: hosts: host and hosts together; keep one"},
      {rule("<host>b</host>"), "5:1: host: is there twice in rule"},
      {rule("<hosts><name>a</name></hosts>"), "5:8: name: unknown element in hosts"},
      {rule("<hosts><host/></hosts>"), "5:8: host: '' is not valid" + host_help},
      {rule("<hosts a=\"b\"><host>a</host></hosts>"), "5:1: hosts: unknown attribute 'a'"},
      {rule("<hosts><host a=\"b\">a</host></hosts>"), "5:8: host: unknown attribute 'a'"},
      {enabled("<rule> <hosts>10.0.0.10</hosts><keyfile>/k</keyfile></rule>"),
       "3:8: hosts: text between its elements: '10.0.0.10'"},
      {enabled("<rule><hosts/><keyfile>/k</keyfile></rule>"), "3:1: rule: needs a <host> (or <hosts>)"},
      {rule("<squash_user>a/b</squash_user>"),
       "5:1: squash_user: 'a/b' is not valid; expected an account name (no / : , in it)"},
      {rule("<proxy_port>65536</proxy_port>"),
       "5:1: proxy_port: '65536' is not valid; expected a number from 0 to 65535"},
      {rule("<udp_port>x</udp_port>"), "5:1: udp_port: 'x' is not valid; expected a number from 1 to 65535"},
      {rule("<udp_port_range>2:1</udp_port_range>"),
       "5:1: udp_port_range: '2:1' is not valid; expected LOW:HIGH, ports from 1 to 65535, such as 33001:33100"},
      {rule("<src_port_filtering>on</src_port_filtering>"),
       "5:1: src_port_filtering: 'on' is not valid; expected true or false"},
      {rule("<bind_source_address>a</bind_source_address>"),
       "5:1: bind_source_address: 'a' is not valid; expected an IPv4 or IPv6 address"},
      {rule("<forwarding_type>pf</forwarding_type>"),
       "5:1: forwarding_type: 'pf' is not valid; expected iptables or nftables"},
      {rule("<balancing>least</balancing>"), "5:1: balancing: 'least' is not valid; expected round_robin"},
      {rule("<users>,</users>"),
       "5:1: users: ',' is not valid; expected names separated by commas, those with blanks in \"quotes\""},
      {rule("\t<udp_linger>1m</udp_linger>"), "5:2: udp_linger: '1m' is not valid; expected a number from 0 to 86400"},
      {rule("", " host_ip=\"7.7.7\""), "3:1: rule: host_ip '7.7.7' is not valid; expected an address or address/bits"},
      {rule("", " host_ip=\"name\""), "3:1: rule: host_ip 'name' is not valid; expected an address or address/bits"},
      {rule("", " host_domain=\"a b\""), "3:1: rule: host_domain 'a b' is not valid; expected name or name:port"},
      {rule("", " hostip=\"7.7.7.7\""), "3:1: rule: unknown attribute 'hostip'; expected host_ip or host_domain"},
      {rule("<squash_user>x\x7fy\\z</squash_user>"),
       "5:1: squash_user: 'x\x7fy\\z' is not valid; expected an account name (no / : , in it)"},
      {"<CONF><default><aspshell_commands>\n<cmd/></aspshell_commands></default></CONF>",
       "2:1: cmd: unknown element in aspshell_commands"},
      {"<CONF><default><aspshell_commands>\n<command/></aspshell_commands></default></CONF>",
       "2:1: command: '' is not valid; expected a command line"},
      {"<CONF><default><aspshell_commands>\n<command udp=\"no\">x</command></aspshell_commands></default></CONF>",
       "2:1: command: udp 'no' is not valid; expected true or false"},
      {"<CONF><default><aspshell_commands>\n<command tcp=\"true\">x</command></aspshell_commands></default></CONF>",
       "2:1: command: unknown attribute 'tcp'; expected udp"},
      {"<CONF><default><aspshell_commands>\n<command>a\nb</command></aspshell_commands></default></CONF>",
       "2:1: command: 'a\nb' is not valid; expected a command line"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.text);
    CHECK(complaint(c.text) == c.complaint);
  }
}

TEST_CASE("config: a rule need not be complete while the reverse proxy is off") {
  CHECK(complaint(rproxy("<rules><rule/></rules>")) == "(nothing)");
  CHECK(complaint(rproxy("<rules><rule><proxy_port>x</proxy_port></rule></rules>")) ==
        "3:14: proxy_port: 'x' is not valid; expected a number from 0 to 65535");
}

TEST_CASE("config: elements that contradict each other are refused") {
  const struct {
    std::string text;
    std::string complaint;
  } cases[] = {
      {rule("<src_port_filtering>true</src_port_filtering><source_port_filtering>true</source_port_filtering>"),
       "5:46: source_port_filtering: is there twice in rule"},
      {rule("<proxy_port>0</proxy_port><udp_port>1</udp_port>"),
       "5:27: udp_port: has no effect when ports are kept (proxy_port 0, or udp_port_reuse false); delete it"},
      {rule("<udp_port>1</udp_port><udp_port_reuse>false</udp_port_reuse>"),
       "5:1: udp_port: has no effect when ports are kept (proxy_port 0, or udp_port_reuse false); delete it"},
      {rule("<bind_source_address>2001:db8::1</bind_source_address>"),
       "5:1: bind_source_address: cannot reach 10.0.0.10:22: one is IPv4, the other IPv6"},
      {"<CONF><server>\n<proxy><port_range_low>10001</port_range_low></proxy></server></CONF>",
       "2:1: proxy: port_range_low 10001 is above port_range_high 10000"},
      {"<CONF><server>\n<http_port>1</http_port></server><server><http_port>2</http_port></server></CONF>",
       "2:42: http_port: is there twice in server"},
      {"<CONF><default><aspshell_commands/></default>\n<default><aspshell_commands/></default></CONF>",
       "2:10: aspshell_commands: is there twice in default"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.text);
    CHECK(complaint(c.text) == c.complaint);
  }
}

TEST_CASE("config: text that is no XML is refused at the place where it breaks") {
  const struct {
    std::string text;
    std::string place;
  } cases[] = {
      {"", "1:1: "},
      {" \n\n", "3:1: "},
      {"garbage", "1:1: "},
      {"<CONF>\n<server>\n</CONF>", "3:3: "},
      {"<CONF>", "1:7: "},
      {"<CONF/>\n<CONF/>", "2:1: "},
      {"<CONF/>\ntrailing", "2:1: "},
      {"<CONF a=\"1\" a=\"2\"/>", "1:13: "},
      {"<CONF>\n&nbsp;</CONF>", "2:1: "},
      {"<CONF>\n&#0;</CONF>", "2:1: "},
      {"<CONF>\n  <a b=c/></CONF>", "2:8: "},
      {std::string("<CONF>\n\0</CONF>", 15), "2:1: "},
      {"<CONF>\n\x01</CONF>", "2:1: "},
  };
  for (const auto& c : cases) {
    CAPTURE(c.text);
    CAPTURE(complaint(c.text));
    CHECK(complaint(c.text).starts_with(c.place));
  }
}

TEST_CASE("config: broken and unknown encodings are refused, the usual ones are read") {
  CHECK(complaint("<CONF>\n\xff\xfe</CONF>").starts_with("2:1: "));
  CHECK(complaint("<CONF>\n\xC3(</CONF>").starts_with("2:1: "));
  CHECK(complaint("<CONF>\n\xC0\xAF</CONF>").starts_with("2:1: "));      // overlong /
  CHECK(complaint("<CONF>\n\xED\xA0\x80</CONF>").starts_with("2:1: "));  // half of a surrogate pair
  CHECK(complaint("<?xml version=\"1.0\" encoding=\"EBCDIC-US\"?><CONF/>").starts_with("1:31: "));
  CHECK(complaint("<?xml version=\"1.0\" encoding=\"UTF-16\"?><CONF/>").starts_with("1:31: "));
  for (const std::string& utf16 : {std::string("\xFF\xFE<\0C\0/\0>\0", 10), std::string("\xFE\xFF\0<\0C\0/\0>", 10),
                                   std::string("\0<\0C", 4), std::string("<\0C\0", 4)}) {
    CHECK(complaint(utf16) == "1:1: is UTF-16; save it as UTF-8");
  }
  CHECK(complaint("\xEF\xBB\xBF<CONF/>") == "(nothing)");
  CHECK(complaint("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><CONF><a>\xe4</a></CONF>") == "(nothing)");
  CHECK(complaint("<?xml version=\"1.0\" encoding=\"us-ascii\"?><CONF/>") == "(nothing)");
}

TEST_CASE("config: a document type declaration is refused before anything in it counts") {
  const std::string refusal = "document type declarations are not allowed here; delete <!DOCTYPE ...>";
  CHECK(complaint("<!DOCTYPE CONF>\n<CONF/>") == "1:15: " + refusal);
  CHECK(
      complaint("<?xml version=\"1.0\"?>\n<!DOCTYPE CONF [\n<!ENTITY a \"1\">]>\n<CONF>&a;</CONF>").starts_with("2:"));
  CHECK(complaint("<!DOCTYPE CONF SYSTEM \"file:///etc/passwd\">\n<CONF/>").find(refusal) != std::string::npos);

  std::string bomb = "<!DOCTYPE CONF [<!ENTITY e0 \"lol\">";
  for (int i = 1; i < 30; ++i) {
    const std::string before = "&e" + std::to_string(i - 1) + ";";
    bomb += "<!ENTITY e" + std::to_string(i) + " \"";
    for (int j = 0; j < 10; ++j) bomb += before;
    bomb += "\">";
  }
  bomb += "]><CONF>&e29;</CONF>";
  CHECK(complaint(bomb).find(refusal) != std::string::npos);

  const TemporaryFile secret("TOP SECRET");
  const auto external = complaint("<!DOCTYPE CONF [<!ENTITY x SYSTEM \"file://" + secret.path +
                                  "\">]><CONF><server><rproxy><enabled>&x;</enabled></rproxy></server></CONF>");
  CHECK(external.find(refusal) != std::string::npos);
  CHECK(external.find("SECRET") == std::string::npos);
}

TEST_CASE("config: elements may nest 64 deep, not 65") {
  CHECK(complaint(nested(64)) == "(nothing)");
  CHECK(complaint(nested(65)) == "1:196: elements nested deeper than 64");
  CHECK(complaint(nested(100000)).find("nested deeper than 64") != std::string::npos);
  // An empty-element tag at the first level too deep closes nothing but itself.
  std::string text = nested(64);
  text.insert(text.find("</"), "<y/>");
  CHECK(complaint(text).find("nested deeper than 64") != std::string::npos);
}

TEST_CASE("config: a file may be 4 MiB long, and not a byte more") {
  const std::string before = "<CONF><!--";
  const std::string after = "--></CONF>";
  const std::string filler(config::xml::kMaxBytes - before.size() - after.size(), 'x');
  CHECK(complaint(before + filler + after) == "(nothing)");
  CHECK(complaint(before + filler + "x" + after) == " larger than 4194304 bytes");
}

TEST_CASE("config/xml: an element knows which bytes are its own") {
  const std::string text =
      "\xEF\xBB\xBF<CONF a='>'><!-- <x> --><x>1&amp;2</x >\n<y b=\"/\"/><z\n/><w><![CDATA[<v>]]></w></CONF>";
  const auto root = config::xml::parse(text, "f");
  const auto part = [&](std::size_t from, std::size_t to) { return text.substr(from, to - from); };
  CHECK(part(root.extent.begin, root.extent.body) == "<CONF a='>'>");
  CHECK(part(root.extent.body_end, root.extent.end) == "</CONF>");
  REQUIRE(root.children.size() == 4);
  const struct {
    std::string start;
    std::string body;
    std::string end;
  } want[] = {
      {"<x>", "1&amp;2", "</x >"}, {"<y b=\"/\"/>", "", ""}, {"<z\n/>", "", ""}, {"<w>", "<![CDATA[<v>]]>", "</w>"}};
  for (std::size_t i = 0; i < 4; ++i) {
    const auto& extent = root.children[i].extent;
    CHECK(part(extent.begin, extent.body) == want[i].start);
    CHECK(part(extent.body, extent.body_end) == want[i].body);
    CHECK(part(extent.body_end, extent.end) == want[i].end);
  }
  const std::string latin = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><C>\xe4\xe4<x>1</x></C>";
  CHECK(latin.substr(config::xml::parse(latin, "f").children[0].extent.begin, 3) == "<x>");
}

TEST_CASE("config: sections of other products are left alone") {
  CHECK(complaint(R"(<CONF version="2"><central_server a="b"><enabled>maybe</enabled></central_server>
    <server><docroot>x</docroot><http_proxy><unknown/></http_proxy><rproxy/></server>
    <aaa><realms><realm><users><user><name>x</name></user></users></realm></realms></aaa>
    <default><file_system><access/></file_system><aspshell_command>x</aspshell_command></default>
    <rproxy><nonsense/></rproxy></CONF>)") == "(nothing)");
}

TEST_CASE("config: comments and CDATA do not disturb a value") {
  CHECK(only_rule(rule("<squash_user>\n x<!-- not -->fer <?pi?>\n</squash_user>")).squash_user == "xfer");
  CHECK(only_rule(rule("<squash_user><![CDATA[xfer]]></squash_user>")).squash_user == "xfer");
  CHECK(only_rule(rule("<squash_user>x&#102;er</squash_user>")).squash_user == "xfer");
}

TEST_CASE("config: further command lines of aspshell, with and without UDP") {
  const auto commands = parse(R"(<CONF><default><aspshell_commands>
    <command>mosh-server new -p %d</command>
    <command udp="false"> rsync --server ... </command>
    <command udp="true">x</command></aspshell_commands></default></CONF>)")
                            .aspshell_commands;
  REQUIRE(commands.size() == 3);
  CHECK(commands[0].pattern == "mosh-server new -p %d");
  CHECK(commands[0].udp);
  CHECK(commands[1].pattern == "rsync --server ...");
  CHECK_FALSE(commands[1].udp);
  CHECK(commands[2].udp);
}

TEST_CASE("config: loading says which file, and that it is missing, a directory, or too large") {
  const TemporaryFile good("<CONF/>");
  CHECK(load_code(good.path) == 0);
  CHECK(load_code(good.path + ".not-there") == tool::config);
  CHECK(load_code(good.directory) == tool::config);
  CHECK(load_code("/dev/null") == tool::config);
  try {
    config::load(good.path + ".not-there");
  } catch (const tool::Failure& failure) {
    CHECK(failure.what() == "open " + good.path + ".not-there: No such file or directory");
  }
  REQUIRE(::truncate(good.path.c_str(), static_cast<off_t>(config::xml::kMaxBytes) + 1) == 0);
  CHECK(load_code(good.path) == tool::config);
}

TEST_CASE("config: a privileged reader believes only a file that root alone can write") {
  if (::geteuid() != 0) return;
  const TemporaryFile file("<CONF/>");
  const struct {
    uid_t owner;
    mode_t mode;
    bool good;
  } cases[] = {
      {0, 0644, true},  {0, 0600, true},  {0, 0444, true},  {0, 0664, false},
      {0, 0646, false}, {0, 0666, false}, {1, 0644, false},
  };
  for (const auto& c : cases) {
    CAPTURE(c.owner);
    CAPTURE(c.mode);
    REQUIRE(::chown(file.path.c_str(), c.owner, 0) == 0);
    REQUIRE(::chmod(file.path.c_str(), c.mode) == 0);
    CHECK(load_code(file.path, config::Author::root) == (c.good ? 0 : tool::config));
    CHECK(load_code(file.path, config::Author::anyone) == 0);
  }
}
