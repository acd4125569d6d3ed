// What the node service parses, and how its refusals look.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "../../cmd/asperanoded/api_json.h"
#include "../../cmd/asperanoded/basic_auth.h"
#include "../../cmd/asperanoded/lease_request.h"
#include "../../cmd/asperanoded/metrics.h"
#include "../../cmd/asperanoded/refusal.h"
#include "base/boot_clock.h"
#include "base/prometheus.h"
#include "lease/lease.h"

using namespace asperanoded;

namespace {

std::string refused(const std::string& body) {
  try {
    LeaseRequest::parse(body);
  } catch (const Refusal& no) {
    return no.code() + ": " + no.what();
  }
  return "";
}

std::string with(const std::string& members) { return "{\"destination\":\"server.example.com\"" + members + "}"; }

}  // namespace

TEST_CASE("basic_auth: name and password") {
  const auto found = basic_auth::parse("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");  // RFC 7617, 2
  REQUIRE(found);
  CHECK(found->name == "Aladdin");
  CHECK(found->password == "open sesame");
  CHECK(basic_auth::parse("bASIC   YTpi")->password == "b");
  CHECK(basic_auth::parse("Basic YTo=")->password == "");
  CHECK(basic_auth::parse("Basic YTpiOmM=")->password == "b:c");
  CHECK(basic_auth::parse("Basic dGVzdDoxMjPCow==")->password == "123\xc2\xa3");
}

TEST_CASE("basic_auth: what is none") {
  const std::string long_one = "Basic " + std::string(basic_auth::kMaxHeader, 'Y');
  for (const std::string header :
       {"", "Basic", "Basic ", "Bearer YTpi", "BasicYTpi", "Basic YTp", "Basic YTpi=", "Basic YTp i", "Basic =YTp",
        "Basic Y===", "Basic ====", "Basic YWI=" /* no colon */, "Basic OmI=" /* no name */,
        "Basic YToKYg==" /* newline */, "Basic YTpi\n", "Basic YTp/*", "Basic YTpjZB==" /* bits left */}) {
    CAPTURE(header);
    CHECK_FALSE(basic_auth::parse(header));
  }
  CHECK_FALSE(basic_auth::parse(long_one));
  CHECK_FALSE(basic_auth::parse(std::string("Basic YTpi\0", 11)));
}

TEST_CASE("lease_request: what may be asked") {
  const auto plain = LeaseRequest::parse("{\"destination\":\"Server.Example.COM.\"}");
  CHECK(plain.destination == "server.example.com");
  CHECK(plain.ssh_port == 22);
  CHECK(plain.udp_ports == PortRange{33001, 33001});
  CHECK_FALSE(plain.client);
  const auto all = LeaseRequest::parse(" {\"udp_port\":\"33001:33100\",\"ssh_port\":65535,\"client\":\"203.0.113.2\","
                                       "\"destination\":\"2001:DB8::0\"}\n");
  CHECK(all.destination == "2001:db8::");
  CHECK(all.ssh_port == 65535);
  CHECK(all.udp_ports == PortRange{33001, 33100});
  CHECK(all.client->text() == "203.0.113.2");
  CHECK(LeaseRequest::parse(with(",\"udp_port\":1")).udp_ports == PortRange{1, 1});
  CHECK(LeaseRequest::parse(with(",\"udp_port\":\"53\"")).udp_ports == PortRange{53, 53});
}

TEST_CASE("lease_request: what may not") {
  for (const std::string body : {"",
                                 " ",
                                 "null",
                                 "[]",
                                 "\"x\"",
                                 "1",
                                 "{",
                                 "{}x",
                                 "{\"destination\":\"a.example\"}{}",
                                 "{'destination':'a.example'}",
                                 "{\"destination\":\"a.example\",}",
                                 "{\"ssh_port\":22}",
                                 "{\"destination\":1}",
                                 "{\"destination\":null}",
                                 "{\"destination\":[\"a.example\"]}",
                                 "{\"destination\":{\"a\":1}}",
                                 "{\"destination\":\"\"}",
                                 "{\"destination\":\"a b\"}",
                                 "{\"destination\":\"127.1\"}",
                                 "{\"destination\":\"0x7f000001\"}",
                                 "{\"destination\":\"localhost\"}",
                                 "{\"destination\":\"[2001:db8::1]\"}",
                                 "{\"destination\":\"a.example:22\"}",
                                 "{\"destination\":\"a\\u0000.example\"}",
                                 "{\"destination\":\"a\\n.example\"}",
                                 "{\"destination\":\"a.example\",\"destination\":\"b.example\"}"}) {
    CAPTURE(body);
    CHECK(refused(body).starts_with("bad_request: "));
  }
  for (const std::string members :
       {",\"ssh_port\":0", ",\"ssh_port\":65536", ",\"ssh_port\":-1", ",\"ssh_port\":22.0", ",\"ssh_port\":2.2e1",
        ",\"ssh_port\":\"22\"", ",\"ssh_port\":true", ",\"ssh_port\":18446744073709551617", ",\"udp_port\":0",
        ",\"udp_port\":\"2:1\"", ",\"udp_port\":\"0:1\"", ",\"udp_port\":\"33001:33101\"", ",\"udp_port\":\" 1\"",
        ",\"udp_port\":[1,2]", ",\"client\":\"\"", ",\"client\":\"inner\"", ",\"client\":1", ",\"user\":\"root\"",
        ",\"Destination\":\"b.example\""}) {
    CAPTURE(members);
    CHECK(refused(with(members)).starts_with("bad_request: "));
  }
  CHECK(refused(with(",\"a\\u001b[2Jb\":1")) == "bad_request: Unknown member: a\\x1b[2Jb.");
  CHECK(refused(with(",\"x\":" + std::string(2000, '[') + std::string(2000, ']'))) ==
        "bad_request: The body has nested values.");
  CHECK(refused(std::string(8000, '[')).starts_with("bad_request: "));
  CHECK(refused("{\"destination\":\"\xff\"}") == "bad_request: The body is not valid JSON.");
}

TEST_CASE("lease_request: content types, and empty bodies") {
  for (const char* type : {"application/json", "Application/JSON", "application/json; charset=utf-8",
                           "application/json;charset=\"UTF-8\""})
    CHECK(is_json(type));
  for (const char* type :
       {"", "text/plain", "application/jsonx", "application/json; charset=latin1", "application/x-www-form-urlencoded"})
    CHECK_FALSE(is_json(type));
  CHECK_NOTHROW(require_nothing(""));
  CHECK_NOTHROW(require_nothing(" {} "));
  for (const char* body : {"{\"a\":1}", "[]", "x"}) CHECK_THROWS_AS(require_nothing(body), Refusal);
}

TEST_CASE("refusal: status and body") {
  const auto answer = refusal::answer(Refusal("destination_denied", "No \"way\"\xff."));
  CHECK(answer.status == 403);
  CHECK(answer.body == "{\"error\":{\"code\":\"destination_denied\",\"message\":\"No \\\"way\\\"\\ufffd.\"}}\n");
  CHECK(refusal::answer(Refusal("unauthorized", "x")).headers[0].first == "WWW-Authenticate");
  CHECK(refusal::answer(Refusal("busy", "x")).headers[0].first == "Retry-After");
  CHECK(refusal::status_of("what_nobody_knows") == 500);
}

TEST_CASE("api_json: a lease") {
  Record record;
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, std::string>>{{"answer", "lease"},
                                                        {"lease", "3a9fd819-59c3-42bc-b0a2-d26304a1eb84"},
                                                        {"user", "alice"},
                                                        {"client", "203.0.113.20"},
                                                        {"proxy", "203.0.113.1"},
                                                        {"ssh_port", "5000"},
                                                        {"udp_ports", "5000:5009"},
                                                        {"destination", "server.example.com"},
                                                        {"address", "198.51.100.50"},
                                                        {"destination_ssh_port", "33001"},
                                                        {"destination_udp_ports", "33001:33010"},
                                                        {"renew_seconds", "0"},
                                                        {"lifetime", "0"},
                                                        {"started", "2026-11-22T15:04:05Z"},
                                                        {"deadline", "81453"},
                                                        {"tag", "7"}}) {
    record.add(name, value);
  }
  lease::Lease lease = api_json::lease_of(record);
  CHECK(api_json::lease(lease) ==
        "{\"id\":\"3a9fd819-59c3-42bc-b0a2-d26304a1eb84\",\"host\":\"203.0.113.1\",\"ssh_port\":5000,\"udp_port\":"
        "\"5000:5009\",\"renew_seconds\":0,\"expires\":null,"
        "\"destination\":\"server.example.com\",\"address\":\"198.51.100.50\",\"destination_ssh_port\":33001,"
        "\"destination_udp_port\":\"33001:33010\","
        "\"client\":\"203.0.113.20\",\"started\":\"2026-11-22T15:04:05Z\",\"user\":\"alice\"}\n");
  lease.lifetime = std::chrono::seconds(180);
  lease.deadline = boot_clock::seconds() + std::chrono::seconds(180);
  CHECK(api_json::lease(lease).find("\"expires\":\"20") != std::string::npos);
  CHECK(api_json::leases({}) == "{\"leases\":[]}\n");
  config::Proxy proxy;
  proxy.keepalive_interval = std::chrono::seconds(60);
  CHECK(api_json::info(proxy, "1").find("\"renew_seconds\":20,\"lifetime_seconds\":60") != std::string::npos);
  proxy.session_timeout = std::chrono::seconds(10);
  CHECK(api_json::info(proxy, "1").find("\"renew_seconds\":10,\"lifetime_seconds\":60") != std::string::npos);
}

TEST_CASE("metrics: buckets add up") {
  Metrics metrics;
  metrics.answered(std::chrono::milliseconds(7));
  metrics.answered(std::chrono::seconds(60));
  const std::string text = metrics.text({"3", 1, 0, "1"});
  CHECK(text.find("duration_seconds_bucket{le=\"0.005\"} 0\n") != std::string::npos);
  CHECK(text.find("duration_seconds_bucket{le=\"0.01\"} 1\n") != std::string::npos);
  CHECK(text.find("duration_seconds_bucket{le=\"10\"} 1\n") != std::string::npos);
  CHECK(text.find("duration_seconds_bucket{le=\"+Inf\"} 2\n") != std::string::npos);
  CHECK(text.find("sallyport_node_leases 3\n") != std::string::npos);
  CHECK(text.find("node=") == std::string::npos);
  const std::string labelled = Metrics("dmz").text({"3", 1, 0, "1"});
  CHECK(labelled.find("sallyport_node_leases{node=\"dmz\"} 3\n") != std::string::npos);
  CHECK(labelled.find("sallyport_node_build_info{node=\"dmz\",version=\"1\"} 1\n") != std::string::npos);
}

TEST_CASE("metrics: a label more on each sample, and on nothing else") {
  const std::string text = "# HELP a {b} c\n# TYPE a gauge\na 1\nb{x=\"{ y\"} 2\n\nc 3";
  CHECK(prometheus::with_label(text, "node", "n\"1\n") ==
        "# HELP a {b} c\n# TYPE a gauge\na{node=\"n\\\"1\\\\x0a\"} 1\nb{node=\"n\\\"1\\\\x0a\",x=\"{ y\"} "
        "2\n\nc{node=\"n\\\"1\\\\x0a\"} 3");
  CHECK(prometheus::with_label(text, "node", "") == text);
  CHECK(prometheus::with_label("", "node", "x").empty());
}
