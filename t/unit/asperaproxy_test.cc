#include <doctest/doctest.h>

#include <string>
#include <vector>

#include <fmt/core.h>

#include "../../cmd/asperaproxy/host_keys.h"
#include "../../cmd/asperaproxy/kernel.h"

TEST_CASE("asperaproxy: interfaces whose default route a router advertised") {
  using asperaproxy::advertised_on;
  const std::string zero(32, '0');
  const auto route = [&](const std::string& prefix, const std::string& flags, const std::string& interface) {
    return zero + " " + prefix + " " + zero + " 00 fe800000000000000000000000000001 00000400 00000001 00000000 " +
           flags + " " + interface + "\n";
  };
  CHECK(advertised_on("").empty());
  CHECK(advertised_on("nonsense\n\n").empty());
  CHECK(advertised_on(route("00", "00450003", "eth0")) == std::vector<std::string>{"eth0"});
  CHECK(advertised_on(route("00", "00450003", "eth0") + route("00", "00450003", "eth0")) ==
        std::vector<std::string>{"eth0"});
  CHECK(advertised_on(route("00", "00000003", "eth0")).empty());  // set by hand
  CHECK(advertised_on(route("00", "00200200", "lo")).empty());
  CHECK(advertised_on(route("40", "00450003", "eth0")).empty());  // no default route
}

TEST_CASE("asperaproxy: what ssh-keyscan prints") {
  using host_keys::parse_scan;
  CHECK(parse_scan("").empty());
  CHECK(
      parse_scan("# 10.0.0.1:22 SSH-2.0-OpenSSH\n10.0.0.1 ssh-ed25519\n10.0.0.1 ssh-dss AAAA\n10.0.0.1 ssh-rsa AA;AA\n")
          .empty());
  const auto keys =
      parse_scan("10.0.0.1 ssh-rsa AAAA\n[10.0.0.1]:2222 ssh-ed25519 BBB= comment\n10.0.0.1 ssh-rsa AAAA\n");
  CHECK(keys == std::vector<host_keys::Key>{{"ssh-rsa", "AAAA"}, {"ssh-ed25519", "BBB="}});
  CHECK(parse_scan("10.0.0.1 ssh-rsa " + std::string(16 * 1024, 'A')).size() == 1);
  CHECK(parse_scan("10.0.0.1 ssh-rsa " + std::string(16 * 1024 + 1, 'A')).empty());
}

TEST_CASE("asperaproxy: a fingerprint has one form") {
  const std::string digest(43, 'a');
  CHECK(host_keys::is_fingerprint("SHA256:" + digest));
  for (const std::string& wrong :
       {std::string(), digest, "SHA256:" + digest + "a", "SHA256:" + digest.substr(1), "sha256:" + digest,
        "SHA256:" + digest.substr(1) + "=", "SHA256:" + digest.substr(1) + " ", "MD5:" + digest}) {
    CAPTURE(wrong);
    CHECK_FALSE(host_keys::is_fingerprint(wrong));
  }
}

TEST_CASE("asperaproxy: one name leaves a line of known_hosts, others stay") {
  const std::string text = "# 1\na,b,c ssh-rsa AAAA comment a\nb ssh-rsa AAAA\n|1|x=|y= ssh-rsa AAAA\n* ssh-rsa AAAA";
  const auto entry = [](std::size_t line, const std::string& names) {
    return host_keys::Entry{line, known_hosts::Marker::none, names, {"ssh-rsa", "AAAA"}};
  };
  CHECK(host_keys::without(text, entry(2, "a,b,c"), "b") ==
        "# 1\na,c ssh-rsa AAAA comment a\nb ssh-rsa AAAA\n|1|x=|y= ssh-rsa AAAA\n* ssh-rsa AAAA\n");
  CHECK(host_keys::without(text, entry(3, "b"), "b") ==
        "# 1\na,b,c ssh-rsa AAAA comment a\n|1|x=|y= ssh-rsa AAAA\n* ssh-rsa AAAA\n");
  CHECK(host_keys::without(text, entry(4, "|1|x=|y="), "b") ==
        "# 1\na,b,c ssh-rsa AAAA comment a\nb ssh-rsa AAAA\n* ssh-rsa AAAA\n");
  CHECK_FALSE(host_keys::without(text, entry(5, "*"), "b"));
  // A name that a pattern beside it covers, too: the old key would go on being the host's.
  for (const char* names : {"b,*", "?,b", "B,b*,x"}) {
    CAPTURE(names);
    CHECK_FALSE(host_keys::without(fmt::format("{} ssh-rsa AAAA\n", names), entry(1, names), "b"));
  }
  CHECK(host_keys::without("b,x* ssh-rsa AAAA\n", entry(1, "b,x*"), "b") == "x* ssh-rsa AAAA\n");
  CHECK(host_keys::with("", "b", {"ssh-rsa", "AAAA"}) == "b ssh-rsa AAAA\n");
  CHECK(host_keys::with("x y z", "b", {"ssh-rsa", "AAAA"}) == "x y z\nb ssh-rsa AAAA\n");
}
