#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/value.h"

namespace {

using config::value::Listen;
using Words = std::vector<std::string>;

void check(bool (*is_valid)(std::string_view), const Words& valid, const Words& invalid) {
  for (const auto& text : valid) {
    CAPTURE(text);
    CHECK(is_valid(text));
  }
  for (const auto& text : invalid) {
    CAPTURE(text);
    CHECK_FALSE(is_valid(text));
  }
}

// "9091, 9092s, 203.0.113.1:9093s"; empty: not valid.
std::string listened(std::string_view text) {
  std::string found;
  for (const auto& one : config::value::listen(text)) {
    found += found.empty() ? "" : ", ";
    found += (one.address ? Endpoint{*one.address, one.port}.text() : std::to_string(one.port)) + (one.tls ? "s" : "");
  }
  return found;
}

}  // namespace

TEST_CASE("value: a boolean is true or false, in these letters") {
  CHECK(config::value::boolean("true") == true);
  CHECK(config::value::boolean("false") == false);
  for (const std::string text : {"", "True", "FALSE", "yes", "1", "0", " true", "true "})
    CHECK_FALSE(config::value::boolean(text));
}

TEST_CASE("value: names are separated by commas and white space, and one bad name spoils all") {
  CHECK(config::value::names("bear") == Words{"bear"});
  CHECK(config::value::names(" bear,bobcat ,\n fox\t") == Words{"bear", "bobcat", "fox"});
  CHECK(config::value::names("\"domain users\",fox \"CORP\\a b\"") == Words{"domain users", "fox", "CORP\\a b"});
  CHECK(config::value::names("\"bear\" it's a\"b") == Words{"bear", "it's", "a\"b"});
  for (const std::string text : {"", " , ", "bear,-x", "bear,a/b", "a:b", "\"\"", "\"a", "\"", "\"a\"b", "\"a\"\"b\"",
                                 "\" a\"", "\"a,b\"", "\"a/b\""})
    CHECK(config::value::names(text).empty());
}

TEST_CASE("value: a text has no control characters") {
  check(config::value::is_text, {"", "a b", "\xc3\xa4", "$(x)"}, {"\n", "a\tb", "\x1f", "\x7f", std::string(1, '\0')});
}

TEST_CASE("value: a path is absolute, and its variables are the user's") {
  check(config::value::is_path, {"/", "/a b", "/$(x)"}, {"", "a", "./a", " /a", "/a\n"});
  check(config::value::is_user_path, {"/", "/home/$(user)/.ssh/id", "/$(name)$(user)", "/$", "/$x", "/()"},
        {"", "a", "/$(", "/$(user", "/$(home)", "/$(user)/$(x)", "/$(USER)", "/$(user )"});
  check(
      config::value::is_docroot,
      {"/home/$(name)", "$(home)", "$(home)/data/$(user)", "s3://bucket/$(user)", "a-1+://", "file:///x", "/srv/a://b"},
      {"", "://x", "S3://bucket", "s3:/bucket", "a_b://x", "s3://a\nb", "/$(x)"});
}

TEST_CASE("value: a netmask is ones, then zeros") {
  for (const auto& [text, bits] : {std::pair<std::string, int>{"0.0.0.0", 0},
                                   {"128.0.0.0", 1},
                                   {"255.255.255.0", 24},
                                   {"255.255.255.254", 31},
                                   {"255.255.255.255", 32}}) {
    CAPTURE(text);
    CHECK(config::value::netmask(text) == bits);
  }
  for (const std::string text : {"", "24", "/24", "255.255.0.255", "0.0.0.1", "255.255.255.253", "254.255.255.0",
                                 "255.255.255", "ffff::", "255.255.255.256"}) {
    CAPTURE(text);
    CHECK_FALSE(config::value::netmask(text));
  }
}

TEST_CASE("value: a listener is a port, maybe of an address, maybe with TLS") {
  CHECK(listened("9091") == "9091");
  CHECK(listened("9091, 9092s,203.0.113.1:9093s") == "9091, 9092s, 203.0.113.1:9093s");
  CHECK(listened("[2001:db8::1]:9092s") == "[2001:db8::1]:9092s");
  CHECK(listened("1,65535") == "1, 65535");
  for (const std::string text :
       {"", ",", "0", "65536", "9091ss", "9091 s", "s", "host:9091", "9091,x", "2001:db8::1:9091"}) {
    CAPTURE(text);
    CHECK(listened(text).empty());
  }
}

TEST_CASE("value: interfaces and hosts have plain names") {
  check(config::value::is_interface, {"lan", "eth0.5", "wg-1", "a_b", "0", std::string(15, 'a')},
        {"", ".a", "-a", "_a", "a/b", "a b", "a:1", std::string(16, 'a')});
  check(config::value::is_host_name, {"dmz", "dmz2.example.com", "a-b", "1", std::string(64, 'a')},
        {"", ".a", "-a", "a_b", "a/b", "a b", std::string(65, 'a')});
}

TEST_CASE("value: own addresses are whole, with their bits, and such as a host can have") {
  const auto found = config::value::own_addresses("203.0.113.1/24, 2001:db8::1/64\n198.51.100.1/32");
  REQUIRE(found.size() == 3);
  CHECK(found[0].base.text() == "203.0.113.1");
  CHECK(found[0].prefix == 24);
  CHECK(found[1].base.text() == "2001:db8::1");
  for (const std::string text : {"", "203.0.113.1", "203.0.113.1/0", "203.0.113.1/33", "0.0.0.0/8", "127.0.0.1/8",
                                 "224.0.0.1/24", "255.255.255.255/32", "::/64", "ff02::1/64", "203.0.113.1/24,x"}) {
    CAPTURE(text);
    CHECK(config::value::own_addresses(text).empty());
  }
}

TEST_CASE("value: endpoints have a port, and an address such as a host can have") {
  const auto found = config::value::endpoints("203.0.113.1:6379 [2001:db8::1]:1,\t198.51.100.1:65535");
  REQUIRE(found.size() == 3);
  CHECK(found[0].text() == "203.0.113.1:6379");
  CHECK(found[1].text() == "[2001:db8::1]:1");
  for (const std::string text : {"", "203.0.113.1", "203.0.113.1:0", "203.0.113.1:65536", "0.0.0.0:1", "127.0.0.1:6379",
                                 "redis:6379", "203.0.113.1:1,x"}) {
    CAPTURE(text);
    CHECK(config::value::endpoints(text).empty());
  }
}
