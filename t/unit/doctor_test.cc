#include <doctest/doctest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "../../cmd/asperaproxy/judge.h"
#include "../../cmd/asperaproxy/packet_filter.h"
#include "../../cmd/asperaproxy/sockets.h"
#include "../../cmd/asperaproxy/sshd_contexts.h"
#include "../../cmd/asperaproxy/verdict.h"
#include "base/failure.h"

namespace {

using doctor::Grade;
using packet_filter::Answer;
using packet_filter::Packet;

const Packet kInside{"udp", 33001, true, true};     // a session's, on its way inside
const Packet kArriving{"udp", 33001, true, false};  // before it is translated
const Packet kLogin{"tcp", 33001, true, false};

// What the table filter with these lines does at `hook`.
packet_filter::Fate iptables(const std::string& lines, const Packet& packet, const char* hook) {
  return packet_filter::at_hook(packet_filter::read_iptables("*filter\n" + lines + "COMMIT\n", packet), hook);
}
Answer forwarded(const std::string& rules, const std::string& policy = "ACCEPT") {
  return iptables(":FORWARD " + policy + " [0:0]\n" + rules, kInside, "forward").dropped;
}

std::string nft(const std::string& hook, const std::string& policy, const std::vector<std::string>& expressions) {
  std::string text =
      R"({"nftables":[{"metainfo":{}},{"chain":{"family":"inet","table":"fw","name":"c","type":"filter","hook":")" +
      hook + R"(","prio":0,"policy":")" + policy + R"("}},{"chain":{"family":"inet","table":"fw","name":"other"}})";
  for (const auto& expression : expressions) {
    text += R"(,{"rule":{"family":"inet","table":"fw","chain":"c","handle":7,"expr":[)" + expression + "]}}";
  }
  return text + R"(,{"rule":{"family":"inet","table":"fw","chain":"other","handle":8,"expr":[{"drop":null}]}}]})";
}
Answer by_nft(const std::string& policy, const std::vector<std::string>& expressions, const Packet& packet = kInside) {
  return packet_filter::at_hook(packet_filter::read_nft(nft("forward", policy, expressions), packet, true), "forward")
      .dropped;
}

}  // namespace

TEST_CASE("packet filter: what rules of iptables do to a session's packet") {
  const std::string ours =
      "-A FORWARD -m connmark --mark 0x8000000/0x8000000 -m comment --comment sallyport -j SALLYPORT\n";
  const std::string chain = ":SALLYPORT - [0:0]\n-A SALLYPORT -j ACCEPT\n";
  CHECK(forwarded("") == Answer::no);
  CHECK(forwarded("", "DROP") == Answer::yes);
  CHECK(forwarded(chain + ours, "DROP") == Answer::no);
  CHECK(forwarded(chain + ours + "-A FORWARD -j DROP\n") == Answer::no);
  CHECK(forwarded(chain + "-A FORWARD -j DROP\n" + ours) == Answer::yes);
  const struct {
    const char* rule;
    Answer dropped;
  } cases[] = {
      {"-j DROP", Answer::yes},
      {"-p udp -j REJECT --reject-with icmp-port-unreachable", Answer::yes},
      {"-p 17 -j DROP", Answer::yes},
      {"-p tcp -j DROP", Answer::no},
      {"! -p tcp -j DROP", Answer::yes},
      {"! -p udp -j DROP", Answer::no},
      {"-p udp -m udp --dport 33001 -j DROP", Answer::yes},
      {"-p udp -m udp --dport 33000:33002 -j DROP", Answer::yes},
      {"-p udp -m udp --dport 33002: -j DROP", Answer::no},
      {"-p udp -m udp --dport :33000 -j DROP", Answer::no},
      {"-p udp -m udp ! --dport 33001 -j DROP", Answer::no},
      {"-p udp -m multiport --dports 53,33001:33100 -j DROP", Answer::yes},
      {"-p udp -m multiport --dports 53,54 -j DROP", Answer::no},
      {"-s 192.0.2.0/24 -j DROP", Answer::maybe},
      {"! -s 192.0.2.0/24 -j DROP", Answer::maybe},
      {"-i lo -j DROP", Answer::no},
      {"-i wan -j DROP", Answer::maybe},
      {"-m conntrack --ctstate INVALID -j DROP", Answer::no},
      {"-m conntrack --ctstate INVALID,NEW -j DROP", Answer::yes},
      {"-m conntrack ! --ctstate RELATED,ESTABLISHED -j DROP", Answer::yes},
      {"-m conntrack --ctstatus DNAT -j DROP", Answer::yes},
      {"-m connmark --mark 0x8000000/0x8000000 -j DROP", Answer::yes},
      {"-m connmark --mark 0x0/0x8000000 -j DROP", Answer::no},
      {"-m connmark ! --mark 0x8000000/0x8000000 -j DROP", Answer::no},
      {"-m connmark --mark 0x1 -j DROP", Answer::maybe},
      {"-m mark --mark 0x8000000/0x8000000 -j DROP", Answer::maybe},
      {"-m limit --limit 1/sec -j DROP", Answer::maybe},
      {"-m comment --comment \"-j ACCEPT \\\" x\" -j DROP", Answer::yes},
      {"-j LOG --log-prefix \"-j DROP\"", Answer::no},
      {"-j NFQUEUE --queue-num 0", Answer::maybe},
      {"-j CT --notrack", Answer::yes},
      {"-j ELSEWHERE", Answer::no},
  };
  for (const auto& one : cases) {
    CAPTURE(std::string(one.rule));
    CHECK(forwarded(std::string("-A FORWARD ") + one.rule + "\n") == one.dropped);
  }
}

TEST_CASE("packet filter: jumps, gotos and returns") {
  const std::string chains = ":A - [0:0]\n:B - [0:0]\n";
  CHECK(forwarded(chains + "-A A -p tcp -j RETURN\n-A A -j DROP\n-A FORWARD -j A\n") == Answer::yes);
  CHECK(forwarded(chains + "-A A -p udp -j RETURN\n-A A -j DROP\n-A FORWARD -j A\n") == Answer::no);
  CHECK(forwarded(chains + "-A A -j B\n-A B -j DROP\n-A FORWARD -s 192.0.2.1/32 -j A\n") == Answer::maybe);
  CHECK(forwarded(chains + "-A FORWARD -g A\n-A FORWARD -j DROP\n") == Answer::no);  // not back to the next rule
  CHECK(forwarded(chains + "-A FORWARD -j A\n-A FORWARD -j DROP\n") == Answer::yes);
  CHECK(forwarded(chains + "-A A -j A\n-A FORWARD -j A\n") == Answer::no);  // ends all the same
  CHECK(forwarded("-A FORWARD -s 192.0.2.1/32 -j ACCEPT\n", "DROP") == Answer::maybe);
  CHECK(forwarded("-A FORWARD -j RETURN\n", "DROP") == Answer::yes);
  CHECK(packet_filter::at_hook(packet_filter::read_iptables("*nat\n:PREROUTING DROP [0:0]\nCOMMIT\n", kArriving),
                               "prerouting")
            .dropped == Answer::no);
  const auto fate = iptables(":INPUT DROP [0:0]\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n", kLogin, "input");
  CHECK(fate.dropped == Answer::yes);
  CHECK(fate.by == "chain filter INPUT (its policy is drop)");
  CHECK(iptables(":INPUT DROP [0:0]\n-A INPUT -p tcp -m tcp --dport 33001 --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT\n",
                 kLogin, "input")
            .dropped == Answer::no);
}

TEST_CASE("packet filter: what rules of nft do") {
  const std::string drop = R"({"counter":{"packets":0}},{"drop":null})";
  const std::string accept = R"({"accept":null})";
  const auto match = [](const std::string& left, const std::string& right, const std::string& op = "==") {
    return R"({"match":{"op":")" + op + R"(","left":)" + left + R"(,"right":)" + right + "}},";
  };
  const std::string mark = R"({"&":[{"ct":{"key":"mark"}},134217728]})";
  const std::string state = R"({"ct":{"key":"state"}})";
  const std::string dport = R"({"payload":{"protocol":"udp","field":"dport"}})";
  CHECK(by_nft("accept", {}) == Answer::no);
  CHECK(by_nft("drop", {}) == Answer::yes);
  CHECK(by_nft("accept", {drop}) == Answer::yes);
  CHECK(by_nft("drop", {match(mark, "134217728") + accept}) == Answer::no);
  CHECK(by_nft("drop", {match(mark, "0", "!=") + accept}) == Answer::no);
  CHECK(by_nft("drop", {match(mark, "134217728") + accept}, kArriving) == Answer::yes);
  CHECK(by_nft("drop", {match(R"({"ct":{"key":"status"}})", R"("dnat")", "in") + accept}) == Answer::no);
  CHECK(by_nft("drop", {match(state, R"(["established","related"])", "in") + accept}) == Answer::yes);
  CHECK(by_nft("drop", {match(state, R"("new")", "in") + accept}) == Answer::no);
  CHECK(by_nft("accept", {match(state, R"("invalid")", "!=") + drop}) == Answer::yes);
  CHECK(by_nft("accept", {match(dport, "33001") + drop}) == Answer::yes);
  CHECK(by_nft("accept", {match(dport, "53") + drop}) == Answer::no);
  CHECK(by_nft("accept", {match(dport, R"({"range":[33000,33001]})") + drop}) == Answer::yes);
  CHECK(by_nft("accept", {match(dport, R"({"set":[53,{"range":[1,2]}]})") + drop}) == Answer::no);
  CHECK(by_nft("accept", {match(dport, R"("@ports")") + drop}) == Answer::maybe);
  CHECK(by_nft("accept", {match(R"({"payload":{"protocol":"tcp","field":"dport"}})", "33001") + drop}) == Answer::no);
  CHECK(by_nft("accept", {match(R"({"payload":{"protocol":"ip","field":"saddr"}})", R"("192.0.2.1")") + drop}) ==
        Answer::maybe);
  CHECK(by_nft("accept", {match(R"({"payload":{"protocol":"ip6","field":"saddr"}})", R"("2001:db8::1")") + drop}) ==
        Answer::no);
  CHECK(by_nft("accept", {match(R"({"meta":{"key":"l4proto"}})", R"({"set":["tcp","udp"]})") + drop}) == Answer::yes);
  CHECK(by_nft("accept", {match(R"({"meta":{"key":"iifname"}})", R"("lo")") + drop}) == Answer::no);
  CHECK(by_nft("accept", {R"({"limit":{"rate":1}},)" + drop}) == Answer::maybe);
  CHECK(by_nft("accept", {R"({"xt":{"type":"match"}},)" + drop}) == Answer::maybe);
  CHECK(by_nft("accept", {R"({"jump":{"target":"other"}})"}) == Answer::yes);
  CHECK(by_nft("accept", {R"({"reject":null})"}) == Answer::yes);
  CHECK(by_nft("accept", {R"({"notrack":null})"}) == Answer::yes);
  const std::string map = R"({"vmap":{"key":)" + state +
                          R"(,"data":{"set":[["established",{"accept":null}],["new",{"jump":{"target":"other"}}]]}}})";
  CHECK(by_nft("accept", {map}) == Answer::yes);
  CHECK(by_nft("accept", {R"({"vmap":{"key":)" + state + R"(,"data":"@verdicts"}})"}) == Answer::maybe);
  CHECK(packet_filter::read_nft(nft("forward", "drop", {}), kInside, true).size() == 2);
  for (const char* wrong :
       {"", "[]", "{}", R"({"nftables":[{"chain":{"family":7}}]})", R"({"nftables":[{"chain":[]}]})"}) {
    CAPTURE(std::string(wrong));
    CHECK_THROWS_AS(packet_filter::read_nft(wrong, kInside, true), tool::Failure);
  }
}

TEST_CASE("packet filter: an nft that prints something else than nft does") {
  const std::string dport = R"({"payload":{"protocol":"udp","field":"dport"}})";
  for (const char* range : {"{}", "[]", "[1]", "[1,2,3]", R"(["a","b"])", "7", "null", R"({"0":1,"1":65535})"}) {
    CAPTURE(range);
    const std::string right = fmt::format(R"({{"range":{}}})", range);
    CHECK(by_nft("accept", {fmt::format(R"({{"match":{{"op":"==","left":{},"right":{}}}}},{{"drop":null}})", dport,
                                        right)}) == Answer::maybe);
  }
  CHECK(by_nft("accept", {R"({"vmap":{"key":{"ct":{"key":"state"}},"data":{"set":[["new",{}]]}}})"}) == Answer::no);
  const std::string keyless = nft("forward", "accept", {R"({"vmap":{"data":{"set":[["new",{"drop":null}]]}}})"});
  CHECK_THROWS_AS(packet_filter::read_nft(keyless, kInside, true), tool::Failure);
}

TEST_CASE("packet filter: chains that lead to each other in many ways are walked once") {
  const auto lines = [](int levels, bool circle) {
    std::string text = ":FORWARD ACCEPT [0:0]\n";
    for (int level = 0; level < levels; ++level) text += fmt::format(":c{} - [0:0]\n", level);
    text += "-A FORWARD -j c0\n";
    for (int level = 0; level < levels; ++level) {
      const int next = circle ? (level + 1) % levels : level + 1;
      for (int rule = 0; rule < 20; ++rule) text += fmt::format("-A c{} -s 10.0.0.{} -j c{}\n", level, rule, next);
    }
    return text + fmt::format("-A c{} -j DROP\n", levels - 1);
  };
  CHECK(iptables(lines(14, false), kInside, "forward").dropped == Answer::maybe);
  CHECK(iptables(lines(14, true), kInside, "forward").dropped != Answer::no);
}

TEST_CASE("packet filter: tables of iptables-nft are iptables' own") {
  const std::string text =
      R"({"nftables":[{"chain":{"family":"ip","table":"filter","name":"FORWARD","type":"filter","hook":"forward","prio":0,"policy":"drop"}},
    {"chain":{"family":"ip6","table":"x","name":"y","type":"filter","hook":"forward","prio":0,"policy":"drop"}},
    {"chain":{"family":"ip","table":"x","name":"n","type":"nat","hook":"forward","prio":0,"policy":"drop"}}]})";
  CHECK(packet_filter::at_hook(packet_filter::read_nft(text, kInside, true), "forward").dropped == Answer::no);
  CHECK(packet_filter::at_hook(packet_filter::read_nft(text, kInside, false), "forward").dropped == Answer::yes);
  Packet v6 = kInside;
  v6.v4 = false;
  CHECK(packet_filter::at_hook(packet_filter::read_nft(text, v6, true), "forward").dropped == Answer::yes);
}

TEST_CASE("doctor: verdicts at their limits") {
  CHECK(doctor::judge_conntrack(799, 1000).grade == Grade::ok);
  CHECK(doctor::judge_conntrack(800, 1000).grade == Grade::warn);
  CHECK(doctor::judge_conntrack(949, 1000).grade == Grade::warn);
  CHECK(doctor::judge_conntrack(950, 1000).grade == Grade::fail);
  CHECK(doctor::judge_conntrack(0, 0).grade == Grade::ok);
  config::Config bounded;  // 512, any number of sessions
  CHECK(doctor::judge_client_flows(bounded, 512).grade == Grade::ok);
  CHECK(doctor::judge_client_flows(bounded, 511).grade == Grade::warn);
  bounded.rproxy.max_sessions = 1000;  // 500 for one user
  CHECK(doctor::judge_client_flows(bounded, 500 * 512 + 3000).grade == Grade::ok);
  CHECK(doctor::judge_client_flows(bounded, 500 * 512 + 2999)
            .cure.starts_with("sysctl -w net.netfilter.nf_conntrack_max=259000  #"));
  bounded.max_flows_per_client = 0;
  CHECK(doctor::judge_client_flows(bounded, 262144).grade == Grade::warn);
  CHECK(doctor::judge_clock(1577836799, true).grade == Grade::fail);
  CHECK(doctor::judge_clock(1577836800, true).grade == Grade::ok);
  CHECK(doctor::judge_clock(4102444800, true).grade == Grade::ok);
  CHECK(doctor::judge_clock(4102444801, true).grade == Grade::fail);
  CHECK(doctor::judge_clock(1800000000, false).grade == Grade::warn);
  for (const char* mode : {"", "0", "1", "1\n"}) CHECK(doctor::judge_selinux(mode).grade == Grade::ok);
  CHECK(doctor::judge_hosts("::1 localhost\n127.0.0.1\tme localhost # x\n").grade == Grade::ok);
  CHECK(doctor::judge_hosts("127.0.0.1 me # localhost\n127.0.0.11 localhost\n#127.0.0.1 localhost\n").grade ==
        Grade::warn);
  CHECK(doctor::judge_iptables("iptables v1.8.9 (nf_tables)\n", "", "/x/iptables-legacy").what ==
        "usable (nf_tables backend, 1.8.9)");
  CHECK(doctor::judge_iptables("iptables v1.8.9 (legacy)\n", "", "/x/iptables-legacy").what ==
        "usable (legacy backend, 1.8.9)");
  CHECK(doctor::judge_iptables("iptables v1.8.9 (nf_tables)\n", "*filter\n-A FORWARD -j DROP\n", "/x/iptables-legacy")
            .grade == Grade::warn);
  CHECK(doctor::judge_iptables("iptables v1.8.9 (nf_tables)\n", "*filter\n:FORWARD ACCEPT\n", "/x/iptables-legacy")
            .grade == Grade::ok);
  CHECK(doctor::judge_iptables("", "", "/x/iptables-legacy").grade == Grade::ok);
  const auto left = doctor::judge_iptables("iptables v1.8.9 (nf_tables)\n", "*nat\n:SALLYPORT - [0:0]\n", "/x/legacy");
  CHECK(left.grade == Grade::fail);
  CHECK(left.cure == "/x/legacy-save | grep -v SALLYPORT | /x/legacy-restore");
  CHECK(doctor::judge_cron("# x\n* * * * *  root  /x/asp-reap\n", "/x/asp-reap").grade == Grade::ok);
  CHECK(doctor::judge_cron("* * * * *  root  [ ! -x /x/asp-reap ] || /x/asp-reap\n", "/x/asp-reap").grade == Grade::ok);
  CHECK(doctor::judge_cron("*/5 * * * * root /x/asp-reap\n", "/x/asp-reap").grade == Grade::warn);
  CHECK(doctor::judge_cron("* * * * * bear /x/asp-reap\n", "/x/asp-reap").grade == Grade::warn);
  CHECK(doctor::judge_cron("#* * * * * root /x/asp-reap\n* * * * * root /y/asp-reap\n", "/x/asp-reap").grade ==
        Grade::fail);
}

TEST_CASE("doctor: what else sudo grants") {
  const std::string head =
      "Matching Defaults entries for bear on dmz:\n    env_reset\n\nUser bear may run the following commands on dmz:\n";
  const std::string right = "    (root) NOPASSWD: /x/asp-pinhole \"\"\n";
  CHECK(doctor::other_rights(head + right, {"/x/asp-pinhole", "/x/asp-upstream"}).empty());
  CHECK(doctor::other_rights(head + "    (root) NOPASSWD: /x/asp-pinhole \"\", /x/asp-upstream \"\"\n",
                             {"/x/asp-pinhole", "/x/asp-upstream"})
            .empty());
  CHECK(doctor::other_rights(head + "    (root) NOSETENV: EXEC: NOPASSWD: /x/asp-pinhole \"\", /x/asp-upstream \"\"\n",
                             {"/x/asp-pinhole", "/x/asp-upstream"})
            .empty());
  CHECK(!doctor::other_rights(head + "    (root) SETENV: NOPASSWD: /x/asp-pinhole \"\"\n",
                              {"/x/asp-pinhole", "/x/asp-upstream"})
             .empty());
  CHECK(!doctor::other_rights(head + "    (root) EXEC: /x/asp-pinhole \"\"\n", {"/x/asp-pinhole", "/x/asp-upstream"})
             .empty());
  CHECK(!doctor::other_rights(head + "    (ALL) NOPASSWD: /x/asp-pinhole \"\"\n", {"/x/asp-pinhole", "/x/asp-upstream"})
             .empty());
  CHECK(!doctor::other_rights(head + "    (root) NOPASSWD: /x/asp-pinhole \"\", /bin/sh\n",
                              {"/x/asp-pinhole", "/x/asp-upstream"})
             .empty());
  CHECK(doctor::other_rights("User bear is not allowed to run sudo on dmz.\n", {"/x/asp-pinhole", "/x/asp-upstream"})
            .empty());
  CHECK(doctor::other_rights(head + "    (root) NOPASSWD: /x/asp-pinhole\n", {"/x/asp-pinhole", "/x/asp-upstream"}) ==
        "(root) NOPASSWD: /x/asp-pinhole");
  CHECK(doctor::other_rights(head + right + "    (ALL : ALL) ALL\n    (root) /bin/ls\n",
                             {"/x/asp-pinhole", "/x/asp-upstream"}) == "(ALL : ALL) ALL; (root) /bin/ls");
}

TEST_CASE("doctor: what leads past the docroot of a node") {
  const std::string good =
      "forcecommand /x/aspshell\ndisableforwarding yes\nallowtcpforwarding yes\npermituserenvironment "
      "no\nsubsystem sftp internal-sftp\nauthorizedkeysfile /etc/ssh/authorized_keys/%u\n";
  using Found = std::vector<std::string>;
  CHECK(doctor::judge_detours(good) == Found{});
  CHECK_FALSE(doctor::has_keys_at_home(good));
  CHECK(doctor::has_keys_at_home("authorizedkeysfile .ssh/authorized_keys .ssh/authorized_keys2\n"));
  CHECK(doctor::judge_detours("forcecommand none\ndisableforwarding no\nallowtcpforwarding yes\n"
                              "allowstreamlocalforwarding local\npermituserenvironment yes\n"
                              "subsystem sftp internal-sftp -l INFO\n") ==
        Found{"AllowTcpForwarding is yes", "AllowStreamLocalForwarding is local", "PermitUserEnvironment is yes",
              "Subsystem is sftp internal-sftp -l INFO, and there is no ForceCommand"});
  CHECK(doctor::judge_detours("disableforwarding no\nallowtcpforwarding no\nallowstreamlocalforwarding no\n"
                              "permituserenvironment no\nsubsystem sftp /usr/lib/openssh/sftp-server\n") == Found{});
}

TEST_CASE("doctor: the kinds of connection that Match lines tell apart") {
  using sshd_contexts::criteria_of;
  using Remotes = std::vector<std::string>;
  CHECK(criteria_of({"User", "bear"}).remotes == Remotes{});
  CHECK(criteria_of({"all"}).remotes == Remotes{});
  CHECK(criteria_of({"Address", "10.1.*,!10.1.2.3", "LocalPort", "22"}).remotes == Remotes{"host=10.1.1,addr=10.1.1"});
  CHECK(criteria_of({"Address", "10.1.*", "LocalPort", "22"}).ports);
  CHECK(criteria_of({"LocalAddress", "203.0.113.1"}).addresses);
  CHECK(criteria_of({"Host", "*.example.net"}).remotes == Remotes{"host=x.example.net,addr=192.0.2.1"});
  CHECK(criteria_of({"address", "2001:db8::/32,10.0.0.0/8"}).remotes ==
        Remotes{"host=2001:db8::,addr=2001:db8::", "host=10.0.0.0,addr=10.0.0.0"});
  CHECK(criteria_of({"Address"}).remotes == Remotes{});
  const auto settings = sshd_contexts::parse("Port 22\nport 33001\nforcecommand /x y\n");
  CHECK(settings.at("port") == Remotes{"22", "33001"});
  CHECK(sshd_contexts::first(settings, "forcecommand") == "/x y");
  CHECK(sshd_contexts::first(settings, "subsystem", "none") == "none");
}

TEST_CASE("doctor: whose packets the kernel believes") {
  std::map<std::string, std::string> values;
  const auto setting = [&](const std::string& name) { return values.contains(name) ? values[name] : "0"; };
  const std::vector<std::string> both{"lan", "wan"};
  CHECK(doctor::judge_sources(both, setting).grade == Grade::warn);
  values["ipv4/conf/lan/rp_filter"] = values["ipv4/conf/wan/rp_filter"] = "1";
  CHECK(doctor::judge_sources(both, setting).grade == Grade::ok);
  values["ipv4/conf/wan/rp_filter"] = "0";
  CHECK(doctor::judge_sources(both, setting).what.starts_with("rp_filter is 0 for wan:"));
  values["ipv4/conf/all/rp_filter"] = "2";
  CHECK(doctor::judge_sources(both, setting).grade == Grade::ok);
  CHECK(doctor::judge_redirects(both, setting).grade == Grade::ok);
  values["ipv4/conf/wan/accept_redirects"] = "1";
  CHECK(doctor::judge_redirects(both, setting).grade == Grade::ok);
  values["ipv4/conf/all/accept_redirects"] = "1";
  CHECK(doctor::judge_redirects(both, setting).cure.starts_with("sysctl -w net.ipv4.conf.all.accept_redirects=0  #"));
  values["ipv4/conf/all/accept_redirects"] = "0";
  values["ipv4/conf/eth0.5/send_redirects"] = "1";
  CHECK(doctor::judge_redirects({"eth0.5"}, setting)
            .cure.starts_with("sysctl -w net/ipv4/conf/eth0.5/send_redirects=0  #"));
}

TEST_CASE("doctor: whom sshd keeps out") {
  const std::string methods = "pubkeyauthentication yes\npasswordauthentication no\nkbdinteractiveauthentication no\n";
  const struct {
    std::string settings;
    std::vector<std::string> why;
  } cases[] = {
      {"", {}},
      {"allowusers ops\nallowusers bear\n", {}},
      {"allowusers ops\n", {"AllowUsers does not name"}},
      {"AllowUsers be*@192.0.2.1\n", {}},
      {"allowusers bea\nallowusers bearr\n", {"AllowUsers does not name"}},
      {"denyusers b??r\n", {"DenyUsers keeps out"}},
      {"denyusers bobcat\n", {}},
      {"allowgroups staff\n", {"AllowGroups does not name"}},
      {"allowgroups staff\nallowgroups sallyport\n", {}},
      {"denygroups sally*\n", {"DenyGroups keeps out"}},
      {methods + "authenticationmethods any\n", {}},
      {methods + "authenticationmethods publickey\n", {}},
      {methods + "authenticationmethods password publickey\n", {}},
      {methods + "authenticationmethods publickey,password keyboard-interactive:pam\n",
       {"AuthenticationMethods publickey,password keyboard-interactive:pam, which is off, keeps out"}},
  };
  for (const auto& one : cases) {
    CAPTURE(one.settings);
    CHECK(doctor::judge_admission(one.settings, "bear", {"bear", "sallyport"}) == one.why);
  }
}

TEST_CASE("doctor: what sshd applies to a user") {
  const std::string good = "forcecommand /x/aspshell\ndisableforwarding yes\nallowagentforwarding no\nx11forwarding "
                           "no\npermituserenvironment no\npermituserrc no\n"
                           "passwordauthentication no\npubkeyauthentication yes\nexposeauthinfo "
                           "yes\nclientaliveinterval 15\nclientalivecountmax 3\npermitrootlogin no\n";
  CHECK(doctor::judge_sshd(good, "/x/aspshell").failures.empty());
  CHECK(doctor::judge_sshd(good, "/x/aspshell").warnings.empty());
  CHECK(doctor::judge_sshd(good, "/y/aspshell").failures == std::vector<std::string>{"ForceCommand is /x/aspshell"});
  const struct {
    const char* from;
    const char* to;
    std::size_t failures;
    std::size_t warnings;
  } cases[] = {{"forcecommand /x/aspshell", "forcecommand none", 1, 0},
               {"permituserrc no", "permituserrc yes", 1, 0},
               {"passwordauthentication no", "passwordauthentication yes", 0, 1},
               {"pubkeyauthentication yes", "pubkeyauthentication no", 1, 0},
               {"exposeauthinfo yes", "exposeauthinfo no", 0, 1},
               {"clientaliveinterval 15", "clientaliveinterval 0", 0, 1},
               {"clientalivecountmax 3", "clientalivecountmax 0", 0, 1},
               {"permitrootlogin no", "permitrootlogin yes", 0, 1}};
  for (const auto& one : cases) {
    std::string settings = good;
    settings.replace(settings.find(one.from), std::string(one.from).size(), one.to);
    CAPTURE(std::string(one.to));
    CHECK(doctor::judge_sshd(settings, "/x/aspshell").failures.size() == one.failures);
    CHECK(doctor::judge_sshd(settings, "/x/aspshell").warnings.size() == one.warnings);
  }
  CHECK(doctor::judge_sshd("", "/x/aspshell").failures.size() == 2);
  const struct {
    const char* settings;
    std::size_t complaints;
  } startups[] = {
      {"maxstartups 100:30:300\npersourcemaxstartups 10\npersourcenetblocksize 32:64\nlogingracetime 30\n", 0},
      {"maxstartups 100\npersourcemaxstartups 99\npersourcenetblocksize 32:64\nlogingracetime 30\n", 0},
      {"maxstartups 300:30:600\npersourcemaxstartups 50\npersourcenetblocksize 32:64\nlogingracetime 30\n", 0},
      {"maxstartups 100:30:300\n", 0},  // before OpenSSH 8.5
      {"maxstartups 99:30:300\n", 1},
      {"maxstartups 10:30:100\npersourcemaxstartups none\npersourcenetblocksize 32:128\n", 2},
      {"maxstartups 10:30:100\npersourcemaxstartups 10\npersourcenetblocksize 32:64\n", 2},
      {"maxstartups 100:30:300\npersourcemaxstartups 10\npersourcenetblocksize 32:128\n", 1},
      {"maxstartups 100:30:300\npersourcemaxstartups 10\npersourcenetblocksize 32:64\nlogingracetime 0\n", 1}};
  for (const auto& one : startups) {
    CAPTURE(std::string(one.settings));
    CHECK(doctor::judge_startups(one.settings).size() == one.complaints);
  }
  // OpenSSH 10.6
  CHECK(doctor::judge_sshd("ForceCommand /x/aspshell\n" + good.substr(good.find('\n') + 1), "/x/aspshell")
            .failures.empty());
  CHECK(doctor::ports_of("Port 22\nPort 33001\n") == std::vector<Port>{22, 33001});
  CHECK(doctor::ports_of("port 22\nport 33001\nportx 5\nport 99999\n") == std::vector<Port>{22, 33001});
  using Ports = std::set<Port>;
  CHECK(doctor::ssh_ports("port 22\nport 33001\n") == Ports{33001});
  CHECK(doctor::ssh_ports("port 2222\nport 22\nport 33001\n") == Ports{2222, 33001});
  CHECK(doctor::ssh_ports("port 2222\n") == Ports{2222});
  CHECK(doctor::ssh_ports("port 22\n") == Ports{22});
  CHECK(doctor::ssh_ports("") == Ports{33001});
}

TEST_CASE("doctor: ports to lease that the kernel takes itself") {
  const PortRange leased{5000, 10000};
  const auto judge = [&](const char* local, const char* reserved) {
    return doctor::judge_local_ports(leased, local, reserved);
  };
  CHECK(judge("32768\t60999\n", "\n").grade == Grade::ok);
  CHECK(judge("10001\t60999\n", "\n").grade == Grade::ok);
  CHECK(judge("10000\t60999\n", "\n").what.starts_with("10000 to 10000 are also"));
  CHECK(judge("1024\t4999\n", "\n").grade == Grade::ok);
  CHECK(judge("1024\t5000\n", "\n").grade == Grade::warn);
  CHECK(judge("1024\t65535\n", "\n").what.starts_with("5000 to 10000 are also"));
  CHECK(judge("1024\t65535\n", "5000-10000\n").grade == Grade::ok);
  CHECK(judge("1024\t65535\n", "5000-7000,7001-10000\n").grade == Grade::ok);
  CHECK(judge("1024\t65535\n", "5000-7000,7002-10000\n").grade == Grade::warn);
  CHECK(judge("1024\t65535\n", "80,5001-10000\n")
            .cure.starts_with("sysctl -w net.ipv4.ip_local_reserved_ports=80-80,5001-10000,5000-10000  #"));
  CHECK(judge("", "").grade == Grade::ok);
}

TEST_CASE("doctor: where leases may lead") {
  config::Proxy proxy;
  const std::vector<Network> near{*Network::parse("203.0.113.0/24"), *Network::parse("2001:db8:2::/64")};
  CHECK(doctor::judge_destinations(proxy, {}).grade == Grade::ok);
  CHECK(doctor::judge_destinations(proxy, near).what == "anywhere but private networks and those that this host is in");
  for (const char* allowed : {"203.0.113.0/24 2001:db8:2::/64", "203.0.113.7 2001:db8:2::/80", "lan.example.com"}) {
    proxy.allowed_destinations = *config::destination::parse_list(allowed);
    CHECK(doctor::judge_destinations(proxy, near).grade == Grade::ok);
  }
  proxy.allowed_destinations = *config::destination::parse_list("0.0.0.0/0 ::/0");
  CHECK(doctor::judge_destinations(proxy, near).grade == Grade::warn);
  CHECK(doctor::judge_destinations(proxy, near)
            .cure.ends_with("<denied_destinations>203.0.113.0/24, 2001:db8:2::/64</denied_destinations>"));
  for (const char* denied : {"203.0.113.0/24 2001:db8::/32", "0.0.0.0/0 ::/0"}) {
    proxy.denied_destinations = *config::destination::parse_list(denied);
    CHECK(doctor::judge_destinations(proxy, near).grade == Grade::ok);
  }
  for (const char* denied : {"203.0.113.0/25 2001:db8::/32", "203.0.113.0/24:22 2001:db8::/32",
                             "203.0.114.0/24 2001:db8::/32", "lan.example.com 2001:db8::/32"}) {
    CAPTURE(denied);
    proxy.denied_destinations = *config::destination::parse_list(denied);
    CHECK(doctor::judge_destinations(proxy, near).what.ends_with(": 203.0.113.0/24"));
  }
  proxy.allowed_destinations = *config::destination::parse_list("198.51.100.50");
  CHECK(doctor::judge_destinations(proxy, near).grade == Grade::ok);
  const auto network = doctor::network_of(*IpAddress::parse("203.0.113.77"), *IpAddress::parse("255.255.255.192"));
  CHECK(network.base.text() == "203.0.113.64");
  CHECK(network.prefix == 26);
}

TEST_CASE("doctor: certificates, at the second and at thirty days") {
  constexpr std::time_t kMonth = 30 * 86400;
  const doctor::Validity validity{1000000, 1000000 + 100 * 86400};
  CHECK(doctor::judge_validity(validity, validity.from - 1).what == "is not valid before 1970-01-12");
  CHECK(doctor::judge_validity(validity, validity.from).grade == Grade::ok);
  CHECK(doctor::judge_validity(validity, validity.until - kMonth).grade == Grade::ok);
  CHECK(doctor::judge_validity(validity, validity.until - kMonth + 1).grade == Grade::warn);
  CHECK(doctor::judge_validity(validity, validity.until).grade == Grade::warn);
  CHECK(doctor::judge_validity(validity, validity.until + 1).grade == Grade::fail);
}

TEST_CASE("doctor: who listens") {
  const char head[] =
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
  const auto tcp = sockets::listening(std::string(head) + "   0: 0100007F:2383 00000000:0000 0A 0:0 00:0 0 0 0 1\n   "
                                                          "1: 0100007F:1388 0100007F:D431 01 0:0 00:0 0 0 0 1\n",
                                      false);
  REQUIRE(tcp.size() == 1);
  CHECK(tcp[0].text() == "127.0.0.1:9091");
  const auto six = sockets::listening(
      std::string(head) +
          "   0: B80D0120000002000000000001000000:1388 00000000000000000000000000000000:0000 07 0:0 00:0 0 0 0 1\n",
      true);
  REQUIRE(six.size() == 1);
  CHECK(six[0].ip.text() == "2001:db8:2::1");
  CHECK(six[0].port == 5000);
  CHECK(sockets::listening("x\n0: 0100007F 0 0A\n0: 0100007G:1 0 0A\n0: 0100007F:12345 0 0A\n0: 01:1 0 0A\n", false)
            .empty());
}

TEST_CASE("doctor: a finding is one line, with its cure") {
  const std::vector<doctor::Finding> findings{
      {"a", doctor::ok("fine")}, {"b", doctor::warn("hm\n\x1b", "do")}, {"c", doctor::fail("bad", "mend \"it\"")}};
  CHECK(doctor::text(findings) == "ok    a: fine\nwarn  b: hm\\x0a\\x1b - do\nFAIL  c: bad - mend \"it\"\n");
  CHECK(doctor::json(findings).find(R"({"grade":"FAIL","name":"c","what":"bad","cure":"mend \"it\""})") !=
        std::string::npos);
  CHECK(doctor::json({}) == "[]\n");
  const doctor::Finding foreign{"a", doctor::fail("server says: x - reboot - now", "true - ")};
  CHECK(doctor::text({foreign}) == "FAIL  a: server says: x\\x20- reboot\\x20- now - true - \n");
  CHECK(doctor::any_failed(findings));
  CHECK_FALSE(doctor::any_failed({findings[0], findings[1]}));
}

TEST_CASE("doctor: the host's own name must be known without name servers") {
  const auto known = [](const char* hosts, const char* nsswitch) {
    return !doctor::judge_own_name(hosts, nsswitch, "dmz.example.com");
  };
  CHECK(known("127.0.0.1 localhost\n127.0.1.1\tDMZ.example.com dmz # x\n", "hosts: files dns\n"));
  CHECK(known("::1 a b dmz.example.com", ""));
  CHECK(known("", "passwd: files\nhosts: files myhostname dns\n"));
  CHECK(known("", "hosts:\tfiles resolve [!UNAVAIL=return] dns\n"));
  CHECK_FALSE(known("127.0.1.1 dmz\n# 127.0.1.1 dmz.example.com\n", "hosts: files dns # myhostname\n"));
  CHECK_FALSE(known("dmz.example.com\n127.0.1.1 dmz.example.com.\n", "networks: myhostname\n"));
  const auto verdict = doctor::judge_own_name("", "", "dmz");
  REQUIRE(verdict);
  CHECK(verdict->cure == "echo '127.0.1.1 dmz' >> /etc/hosts");
}

TEST_CASE("doctor: a file system that is nearly full, by its blocks or its inodes") {
  const auto grade = [](doctor::Room blocks, doctor::Room inodes) {
    const auto verdict = doctor::judge_room("/x", blocks, inodes, "cure");
    return verdict ? verdict->what : "";
  };
  CHECK(grade({100, 6}, {100, 6}) == "");
  CHECK(grade({100, 5}, {100, 6}) == "/x is full to 95 %");
  CHECK(grade({100, 6}, {1000, 49}) == "/x has 96 % of its inodes in use");
  CHECK(grade({0, 0}, {0, 0}) == "");  // btrfs counts no inodes
}
