// The texts that asperaproxy setup makes.
#include <doctest/doctest.h>

#include <fmt/core.h>

#include "../../cmd/asperaproxy/setup_config.h"
#include "../../cmd/asperaproxy/setup_node.h"
#include "../../cmd/asperaproxy/setup_original.h"
#include "../../cmd/asperaproxy/setup_proof.h"
#include "../../cmd/asperaproxy/setup_remains.h"
#include "../../cmd/asperaproxy/setup_sshd.h"
#include "base/failure.h"

using namespace asperaproxy::setup;

namespace {

Answers answers() {
  Answers some;
  some.servers = {{"203.0.113.10", 22}};
  some.addresses = {*IpAddress::parse("198.51.100.39")};
  some.squash = "xfer";
  return some;
}

config::Rproxy made(const std::string& before, const Answers& some) {
  return config::parse(configured(before, some), "x").rproxy;
}

constexpr char kSample[] = "# a comment\nPort 22\nPort 33001\n\nPermitRootLogin no\nMatch all\n";

}  // namespace

TEST_CASE("setup: a new aspera.conf has a rule for each address") {
  auto some = answers();
  some.addresses.push_back(*IpAddress::parse("198.51.100.40"));
  some.servers.push_back({"203.0.113.11", 2222});
  const auto rproxy = made("", some);
  CHECK(rproxy.enabled);
  REQUIRE(rproxy.rules.size() == 2);
  CHECK(rproxy.rules[1].host_ip->contains(some.addresses[1]));
  CHECK(rproxy.rules[0].hosts == some.servers);
  CHECK(rproxy.rules[0].squash_user == "xfer");
  CHECK(rproxy.rules[0].keyfile == squash_key());
}

TEST_CASE("setup: with own names each has the own key") {
  auto some = answers();
  some.squash.clear();
  const auto rule = made("", some).rules.at(0);
  CHECK(rule.squash_user.empty());
  CHECK(rule.keyfile == "/home/$(user)/.ssh/id_ed25519");
}

TEST_CASE("setup: what is in aspera.conf stays, to the byte, and is enough the second time") {
  const std::string before =
      "<CONF><!-- mine --><server>\n  <rproxy>\n    <enabled>false</enabled>\n    <rules>\n      <!-- none -->\n"
      "    </rules>\n  </rproxy>\n</server></CONF>\n";
  const std::string after = configured(before, answers());
  CHECK(after ==
        "<CONF><!-- mine --><server>\n  <rproxy>\n    <enabled>true</enabled>\n    <rules>\n      <!-- none -->\n"
        "      <rule host_ip=\"198.51.100.39\">\n        <host>203.0.113.10:22</host>\n"
        "        <squash_user>xfer</squash_user>\n        <keyfile>" +
            squash_key() +
            "</keyfile>\n      </rule>\n"
            "    </rules>\n  </rproxy>\n</server></CONF>\n");
  CHECK(configured(after, answers()) == after);
}

TEST_CASE("setup: another rule for the address is not touched, and not shadowed") {
  auto some = answers();
  const std::string before = configured("", some);
  some.squash = "other";
  CHECK_THROWS_AS(configured(before, some), tool::Failure);
  some = answers();
  some.servers = {{"203.0.113.11", 22}};
  CHECK_THROWS_AS(configured(before, some), tool::Failure);
  CHECK_THROWS_AS(configured("<CONF><server><rproxy><rules><rule><host>203.0.113.99</host><keyfile>/k</keyfile></rule>"
                             "</rules></rproxy></server></CONF>",
                             answers()),
                  tool::Failure);
}

TEST_CASE("setup: a server of the other family is not for the address") {
  auto some = answers();
  some.servers = {{"2001:db8::10", 22}};
  CHECK_THROWS_AS(configured("", some), tool::Failure);
  some.servers.push_back({"203.0.113.10", 22});
  CHECK(made("", some).rules.at(0).hosts.size() == 1);
}

TEST_CASE("setup: the border is written only where it was decided") {
  auto some = answers();
  CHECK(configured("", some).find("border") == std::string::npos);
  some.border = Border::no;
  CHECK_FALSE(config::parse(configured("", some), "x").border);
  const std::string open = configured("", some);
  some.border = Border::yes;
  CHECK(config::parse(configured(open, some), "x").border);
}

TEST_CASE("setup: the drop-in has the ports that are needed, and each once") {
  CHECK(drop_in(kSample, {22, 33001}, RootLogin::no) == kSample);
  CHECK(drop_in(kSample, {33001}, RootLogin::key) ==
        "# a comment\nPort 33001\n\nPermitRootLogin prohibit-password\nMatch all\n");
  // Nobody has a Port line: sshd's own 22 goes with the first one.
  CHECK(ports_to_add({22}, {33001}) == std::vector<Port>{22, 33001});
  CHECK(ports_to_add({2222}, {2222, 33001}) == std::vector<Port>{33001});
  CHECK(ports_to_add({22, 33001}, {22, 33001, 33001}) == std::vector<Port>{});
  CHECK(ports_to_add({22, 33001}, {33001}) == std::vector<Port>{22, 33001});  // our own drop-in is there
}

TEST_CASE("setup: the drop-in of a node has no bound for the proxy's address") {
  Answers some;
  some.proxies = {*IpAddress::parse("203.0.113.1"), *IpAddress::parse("2001:db8::1")};
  const std::string text = "A 1\nPerSourceMaxStartups 50\nB 2\n";
  CHECK(for_node(text, some, false) == "A 1\nPerSourceMaxStartups none\nB 2\n");
  CHECK(for_node(text, some, true) ==
        "A 1\nPerSourceMaxStartups none\nPerSourcePenaltyExemptList 203.0.113.1,2001:db8::1\nB 2\n");
}

TEST_CASE("setup: a node's group has a docroot, once") {
  Answers some;
  some.direction = Direction::node;
  const std::string after = configured("<CONF><!-- mine --></CONF>\n", some);
  CHECK(after.find("<!-- mine -->") != after.npos);
  CHECK(after.find("<absolute>/srv/transfer/$(name)</absolute>") != after.npos);
  CHECK(after.find("<rproxy>") == after.npos);
  CHECK(configured(after, some) == after);
  some.docroot = "/data";
  CHECK_THROWS_AS(configured(after, some), tool::Failure);
}

TEST_CASE("setup: what the standard library throws is a failure of the system") {
  const auto code = [](const auto& work) {
    try {
      return with_failures(work);
    } catch (const tool::Failure& failure) {
      return static_cast<int>(failure.code());
    }
  };
  CHECK(code([] { return 0; }) == 0);
  CHECK(code([]() -> int { throw tool::Failure(tool::config, "x"); }) == 78);
  CHECK(code([]() -> int { throw std::runtime_error("x"); }) == 71);
}

TEST_CASE("setup: the candidate stands where sshd would read it") {
  CHECK(
      with_candidate("# x\nInclude /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n", {"zz.conf", "00-a.conf"}, "/run/c") ==
      "# x\nInclude /etc/ssh/sshd_config.d/00-a.conf\nInclude /run/c\nInclude /etc/ssh/sshd_config.d/zz.conf\n"
      "UsePAM yes\n");
  CHECK(with_candidate("include /etc/ssh/sshd_config.d/*.conf\n", {"sallyport.conf"}, "/run/c") == "Include /run/c\n");
  CHECK(with_candidate("UsePAM yes\n#Include /etc/ssh/sshd_config.d/*.conf\n", {}, "/run/c").empty());
}

TEST_CASE("setup: answers are read back as they were written") {
  auto some = answers();
  some.user = "bear";
  some.key = "ssh-ed25519 AAAA bear@laptop";
  some.prints = {"SHA256:x"};
  some.root_login = RootLogin::key;
  some.border = Border::no;
  CHECK(Answers::from_record(some.to_record()) == some);
  CHECK(Answers::from_record(answers().to_record()) == answers());
}

TEST_CASE("setup: what the end of a trial says") {
  using doctor::Grade;
  CHECK(judge_session(0, "").grade == Grade::ok);
  CHECK(judge_session(74, "asp-cp: x: open /etc/hostname: No such file or directory").grade == Grade::ok);
  CHECK(judge_session(69, "asp-cp: 198.51.100.39: there is no asp-cp on the server").grade == Grade::warn);
  CHECK(judge_session(69, "asp-cp: no UDP path to 198.51.100.39:33001: check the firewall between").grade ==
        Grade::fail);
  const auto other = judge_session(69, "This proxy is misconfigured.\nasp-cp: x: ssh failed\n");
  CHECK(other.grade == Grade::fail);
  CHECK(other.what == "This proxy is misconfigured.");
  CHECK(judge_session(77, "").grade == Grade::fail);
}

TEST_CASE("setup: lines for others") {
  CHECK(authorized_line({"203.0.113.1", "2001:db8::1"}, "ssh-ed25519 AAAA x") ==
        "from=\"203.0.113.1,2001:db8::1\",restrict ssh-ed25519 AAAA x");
  CHECK(table({{"outer", "clients", "198.51.100.39", "TCP 33001"}}) ==
        "firewall  from     to             ports\nouter     clients  198.51.100.39  TCP 33001\n");
}

TEST_CASE("setup: of the original's aspera.conf all that is understood is taken over") {
  const std::string good = "<CONF>\n<server><rproxy><enabled>true</enabled><rules>\n"
                           "<rule host_ip=\"198.51.100.39\"><host>203.0.113.10</host><keyfile>/k</keyfile></rule>\n"
                           "</rules></rproxy></server></CONF>";
  CHECK(take_over(good).text == good);
  CHECK(take_over(good).left_out.empty());
  std::string odd = good;
  odd.replace(odd.find("<rules>"), 0, "<odd/>");
  const auto taken = take_over(odd);
  CHECK(taken.text == good);
  REQUIRE(taken.left_out.size() == 1);
  CHECK(taken.left_out[0].starts_with("2:40: <odd>: "));
  std::string strict = good;
  strict.replace(strict.find("</rules>"), 0, "<rule><host>203.0.113.11</host><only/><keyfile>/k</keyfile></rule>\n");
  CHECK(config::parse(take_over(strict).text, "x").rproxy.rules.size() == 1);
  CHECK_THROWS_AS(take_over("<CONF><server>"), tool::Failure);
  CHECK_THROWS_AS(take_over("<OTHER/>"), tool::Failure);
}

TEST_CASE("setup: lines of sudoers that grant iptables-restore alone go, and no others") {
  for (const char* line :
       {"bear ALL = (ALL) NOPASSWD: /sbin/iptables-restore", "bear ALL=(root) /usr/sbin/iptables-restore",
        "%people ALL = NOPASSWD: /sbin/iptables-restore, /sbin/ip6tables-restore"}) {
    const auto grants = without_restore(fmt::format("Defaults env_reset\n{}\n", line));
    CHECK(grants.text == "Defaults env_reset\n");
    CHECK(grants.deleted == std::vector<std::string>{line});
  }
  for (const char* line :
       {"bear ALL = (ALL) NOPASSWD: /sbin/iptables-restore, /bin/ls",
        "bear ALL = (ALL) NOPASSWD: /bin/ls, NOPASSWD: /sbin/iptables-restore",
        "Cmnd_Alias RESTORE = /sbin/iptables-restore", "bear ALL = (ALL) NOPASSWD: \\\n  /sbin/iptables-restore"}) {
    const auto grants = without_restore(std::string(line) + "\n");
    CHECK(grants.text == std::string(line) + "\n");
    CHECK(grants.by_hand.size() == 1);
  }
  for (const char* line : {"# bear ALL = (ALL) NOPASSWD: /sbin/iptables-restore", "root ALL=(ALL:ALL) ALL",
                           "Cmnd_Alias X = /sbin/iptables-restore-not", "Defaults:bear !requiretty"}) {
    const auto grants = without_restore(std::string(line) + "\n");
    CHECK(grants.text == std::string(line) + "\n");
    CHECK((grants.deleted.empty() && grants.by_hand.empty()));
  }
}
