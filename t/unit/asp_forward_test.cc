#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "../../cmd/asp-forward/answer.h"
#include "../../cmd/asp-forward/known_proxies.h"
#include "../../cmd/asp-forward/proxy_url.h"
#include "../../cmd/asp-forward/settings.h"
#include "../../cmd/asp-forward/words.h"
#include "base/address.h"
#include "base/failure.h"
#include "http/node_client.h"

using namespace forward;

namespace {

int code_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const tool::Failure& failure) {
    return failure.code();
  }
  return 0;
}

std::string hidden(std::string url) {
  hide_password(url.data());
  return url;
}

// A lease with `more` in it; of a member that is given twice the last one counts.
std::string lease_with(const std::string& more) {
  return R"({"id":"3a9fd819-59c3-42bc-b0a2-d26304a1eb84","host":"203.0.113.1","ssh_port":5000,"udp_port":5000,"renew_seconds":60,)"
         R"("expires":"2026-11-22T15:07:05Z","later":{"more":[1]})" +
         more + "}";
}

}  // namespace

TEST_CASE("the URL of a proxy has scheme, user, password, host and port") {
  const auto url = ProxyUrl::parse("dnats://alice:s%3Ac%40r@proxy.Example.com");
  CHECK(url.tls);
  CHECK(url.user == "alice");
  CHECK(url.password == "s:c@r");
  CHECK(url.host == HostPort{"proxy.example.com", 9092});
  const auto clear = ProxyUrl::parse("dnat://[2001:db8::1]:80/");
  CHECK_FALSE(clear.tls);
  CHECK(clear.user.empty());
  CHECK_FALSE(clear.password);
  CHECK(clear.host == HostPort{"2001:db8::1", 80});
  CHECK(ProxyUrl::parse("dnat://203.0.113.1").host.port == 9091);
  CHECK(ProxyUrl::parse("dnat://[2001:db8::1]").host.port == 9091);
  CHECK_FALSE(ProxyUrl::parse("DNAT://h").tls);
  CHECK(ProxyUrl::parse("DNATS://h").tls);
  CHECK(ProxyUrl::parse("DnatS://a@h").user == "a");
  CHECK(ProxyUrl::parse("dnat://a:@h").password == "");
  CHECK(ProxyUrl::parse("dnat://a:b:c@h").password == "b:c");
  CHECK(ProxyUrl::parse("dnat://a:b@c@h").password == "b@c");
  CHECK(ProxyUrl::parse("dnat://a%40b@h").user == "a@b");
}

TEST_CASE("what is not a URL of a proxy is refused, and its password is in no message") {
  for (const char* text : {"",
                           "dnat",
                           "dnats:/h",
                           "DNATX://h",
                           "dnat\xd3://h",
                           "http://h",
                           "dnat://",
                           "dnat:///",
                           "dnat://@h",
                           "dnat://:p@h",
                           "dnat://a@",
                           "dnat://a%@h",
                           "dnat://a%4@h",
                           "dnat://a%zz@h",
                           "dnat://a%00@h",
                           "dnat://a%7f@h",
                           "dnat://a%3ab@h",
                           "dnat://h:0",
                           "dnat://h:65536",
                           "dnat://h:x",
                           "dnat://h/x",
                           "dnat://h?x",
                           "dnat://h#x",
                           "dnat://h h",
                           "dnat://2001:db8::1",
                           "dnat://[2001:db8::1",
                           "dnat://[h]",
                           "dnat://-h",
                           "dnat://h\n",
                           "dnat://a:s3cret%@h",
                           "dnat://a:s3cret@-h"}) {
    CAPTURE(text);
    try {
      ProxyUrl::parse(text);
      FAIL("accepted");
    } catch (const tool::Failure& failure) {
      CHECK(failure.code() == tool::usage);
      CHECK(std::string(failure.what()).find("s3cret") == std::string::npos);
    }
  }
  CHECK(code_of([] { ProxyUrl::parse("dnat://" + std::string(256, 'a') + "@h"); }) == 0);
  CHECK(code_of([] { ProxyUrl::parse("dnat://" + std::string(257, 'a') + "@h"); }) == tool::usage);
}

TEST_CASE("a password on the command line is overwritten in place") {
  CHECK(hidden("dnats://alice:secret@h") == "dnats://alice:******@h");
  CHECK(hidden("--proxy=dnats://alice:s@cr@h:1") == "--proxy=dnats://alice:****@h:1");
  for (const char* text : {"dnats://alice@h", "dnats://h:80", "alice:secret@h", "--to", "", "@", "://@", "x@://y:z"})
    CHECK(hidden(text) == text);
}

TEST_CASE("a lease is read strictly") {
  const auto leased = parse_lease(lease_with(""));
  CHECK(leased.id == "3a9fd819-59c3-42bc-b0a2-d26304a1eb84");
  CHECK(leased.host.text() == "203.0.113.1");
  CHECK(leased.ssh_port == 5000);
  CHECK(leased.udp_ports == PortRange{5000, 5000});
  CHECK(leased.renew_seconds.count() == 60);
  CHECK(leased.expires == "2026-11-22T15:07:05Z");
  CHECK(parse_lease(lease_with(R"(,"udp_port":"5000:5009")")).udp_ports == PortRange{5000, 5009});
  CHECK(parse_lease(lease_with(R"(,"expires":null)")).expires.empty());
  CHECK(parse_lease(lease_with(R"(,"renew_seconds":0)")).renew_seconds.count() == 0);
  CHECK(parse_lease(lease_with(R"(,"ssh_port":65535)")).ssh_port == 65535);
  for (const char* more : {R"(,"id":"")",
                           R"(,"id":"x/y")",
                           R"(,"id":null)",
                           R"(,"host":"h")",
                           R"(,"host":"203.0.113.1 ")",
                           R"(,"host":1)",
                           R"(,"ssh_port":0)",
                           R"(,"ssh_port":65536)",
                           R"(,"ssh_port":-1)",
                           R"(,"ssh_port":1.0)",
                           R"(,"ssh_port":"1")",
                           R"(,"ssh_port":9223372036854775808)",
                           R"(,"ssh_port":1e400)",
                           R"(,"ssh_port":true)",
                           R"(,"udp_port":[])",
                           R"(,"udp_port":"9:5")",
                           R"(,"udp_port":"5000-5009")",
                           R"(,"renew_seconds":-1)",
                           R"(,"renew_seconds":31536001)",
                           R"(,"expires":"")",
                           R"(,"expires":5)",
                           R"(,"expires":"a\u001b")",
                           ",",
                           R"(,"id")"}) {
    CAPTURE(more);
    CHECK(code_of([&] { parse_lease(lease_with(more)); }) == tool::bad_input);
  }
  for (const char* text : {"", "{}", "[]", "null", "7", "{", "\xff"})
    CHECK(code_of([&] { parse_lease(text); }) == tool::bad_input);
}

TEST_CASE("a refusal has the API's sentence, or its HTTP status") {
  CHECK(sentence({403, R"({"error":{"code":"x","message":"No."}})", ""}) == "No.");
  CHECK(sentence({403, R"({"error":{"code":"x","message":")" + std::string(600, 'a') + "\"}}", ""}).size() == 500);
  for (const char* body :
       {"", "{}", "[]", R"({"error":"No."})", R"({"error":{"message":7}})", R"({"error":{"message":""}})"}) {
    CHECK(sentence({503, body, ""}).starts_with("HTTP status 503"));
  }
  CHECK(exit_for(401) == tool::not_permitted);
  CHECK(exit_for(403) == tool::not_permitted);
  CHECK(exit_for(503) == tool::temporary);
  CHECK(exit_for(302) == tool::bad_input);
  CHECK(exit_for(0) == tool::bad_input);
}

TEST_CASE("the lease is put in where a percent sign says so") {
  const auto leased = parse_lease(lease_with(R"(,"ssh_port":5001,"udp_port":"5001:5003")"));
  const std::string destination = "server.example.com";
  const auto put = [&](const char* word) { return substitute(word, {leased, destination}); };
  CHECK(put("user@%h:/tmp") == "user@203.0.113.1:/tmp");
  CHECK(put("%P%O%%%H") == "50015001%server.example.com");
  CHECK(put("%%h") == "%h");
  CHECK(put("") == "");
  CHECK(code_of([] { check_words({"%h", "a%%", "%%%P", ""}); }) == 0);
  for (const char* word : {"%", "a%", "%%%", "%x", "% h", "%p"})
    CHECK(code_of([&] { check_words({"ok", word}); }) == tool::usage);
}

TEST_CASE("fingerprints are read as the tools print them") {
  const std::string hex = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
  const auto shown = node_client::show_fingerprint(hex);
  CHECK(shown.starts_with("00:11:22:"));
  CHECK(shown.ends_with(":EE:FF"));
  for (const auto& text :
       {hex, shown, "SHA256:" + shown, "sha256 Fingerprint=" + shown, "SHA256 Fingerprint=" + shown}) {
    CHECK(node_client::parse_fingerprint(text) == hex);
  }
  for (const auto& text : {std::string(), hex.substr(1), hex + "0", shown.substr(1), shown + ":", "g" + hex.substr(1),
                           "MD5:" + hex, std::string("SHA256:"), shown.substr(0, 94) + "\n", hex.substr(2) + " 0"}) {
    CAPTURE(text);
    CHECK_FALSE(node_client::parse_fingerprint(text));
  }
}

TEST_CASE("the name of a host key is read as it is written") {
  for (const HostPort& host :
       {HostPort{"server.example.com", 0}, HostPort{"server.example.com", 33001}, HostPort{"2001:db8::1", 0},
        HostPort{"2001:db8::1", 33001}, HostPort{"203.0.113.1", 2222}}) {
    CHECK(HostPort::parse_known_hosts(host.known_hosts_text()) == host);
  }
  CHECK(HostPort{"h", 22}.known_hosts_text() == "h");
  CHECK(HostPort::parse_known_hosts("[h]:22") == HostPort{"h", 22});
  for (const char* text : {"", "h:22", "[h]", "[h]:", "[h]:0", "[h]:65536", "[]:22", "[[h]]:22", "[[2001:db8::1]]:22",
                           "[h:1]:22", "-h", "h h", "%h", "*", "h,i", "[h]:22x"}) {
    CAPTURE(text);
    CHECK_FALSE(HostPort::parse_known_hosts(text));
  }
}

TEST_CASE("asp-forward settings: what belongs to a proxy goes to no other") {
  const std::string pin(64, 'a');
  auto mine = forward::Settings::parse("proxy=dnats://own.example.com\nuser=alice\n", "mine");
  const auto systems =
      forward::Settings::parse("proxy=dnats://p.example.com\nfingerprint=" + pin + "\ntimeout=7\n", "all");
  mine.fall_back_on(systems);
  CHECK(mine.proxy->host.host == "own.example.com");
  CHECK(mine.fingerprint.empty());
  CHECK(mine.timeout == "7");
  auto user = forward::Settings::parse("user=alice\n", "mine");
  user.fall_back_on(systems);
  CHECK(user.proxy->host.host == "p.example.com");
  CHECK(user.fingerprint == pin);
  auto same = user;
  same.keep_for(forward::ProxyUrl::parse("dnats://bob@P.example.com:9092"));
  CHECK(same.fingerprint == pin);
  for (const char* other : {"dnats://q.example.com", "dnats://p.example.com:9093", "dnat://p.example.com:9092"}) {
    auto kept = user;
    kept.keep_for(forward::ProxyUrl::parse(other));
    CHECK(kept.fingerprint.empty());
    CHECK(kept.user.empty());
    CHECK(kept.password_file.empty());
    CHECK(kept.timeout == "7");
  }
  CHECK_FALSE(forward::Settings::parse("", "mine").proxy);
  CHECK_FALSE(forward::Settings::parse("# nothing\n", "mine").proxy);
}

TEST_CASE("asp-forward known_proxies: the last line of a proxy counts, and forgetting leaves the others") {
  const std::string a(64, 'a'), b(64, 'b');
  const std::string text = "# mine\np:9092 " + a + "\n\nq:9092 " + b + "\np:9092 " + b + "\n";
  const HostPort p{"p", 9092}, other{"p", 9093};
  CHECK(forward::known_proxies::fingerprint_of(text, "f", p) == b);
  CHECK_FALSE(forward::known_proxies::fingerprint_of(text, "f", other));
  CHECK(forward::known_proxies::without(text, "f", p) == "# mine\n\nq:9092 " + b + "\n");
  CHECK_FALSE(forward::known_proxies::without(text, "f", other));
  for (const auto& wrong :
       std::vector<std::string>{"p:9092", "p " + a, "p:9092 " + a + " x", "p:0 " + a, "a/b:9092 " + a})
    CHECK_THROWS_WITH(forward::known_proxies::fingerprint_of(wrong, "f", p),
                      "f:1: not HOST:PORT and the 64 hex digits of a SHA-256");
}
