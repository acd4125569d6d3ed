#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

#include "ssh/known_hosts.h"

namespace {

using known_hosts::Key;
using known_hosts::Verdict;

const Key kOne{"ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIKUVogSe+culjvQPxX00Vwdr5ou1uJE1DWvNyVt0KLLg"};
const Key kOther{"ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIH0+hIxxxji4gxVrQeBwToazwYm+MPnbkQklo4tvAXrp"};
const Key kEcdsa{"ecdsa-sha2-nistp256", "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBF0R9L1SdQpI734Lnjs/"
                                        "FG+Jx9D3wvm0uUjlBhtG4Q8ZG9O+COifXZ1uJ8Y5vLcXOEUwGAFTxy2sgmUqs/YAMR4="};
// By ssh-keygen -H: 10.0.0.10, and [10.0.0.10]:2222.
const std::string kHashed = "|1|TsVgrhPpdshi1XFimBqnvD0SuTk=|GzHESFJCqhsX0BbRtaimRxFGsEY=";
const std::string kHashedPort = "|1|D4Af9fpoSo2am2AQ9XXQENEVrQs=|CH1EU3Z5QXuYNs+3Uefav1fEsRU=";
const std::string kName = "10.0.0.10";

std::string text(const Key& key) { return key.type + " " + key.blob; }

// How the file answers for `name` and a key: a letter for the verdict, and the
// lines that it could not read.
std::string answer(const std::string& file, const std::string& name = kName, const Key& shown = kOne) {
  const auto found = known_hosts::find(file, name);
  std::string said;
  switch (known_hosts::judge(found.of_host, shown)) {
    case Verdict::enrolled: said = "enrolled"; break;
    case Verdict::revoked: said = "revoked"; break;
    case Verdict::changed: said = "changed"; break;
    case Verdict::other_type: said = "other type"; break;
    case Verdict::only_authority: said = "authority"; break;
    case Verdict::unknown: said = "unknown"; break;
  }
  for (const auto line : found.unparsed) said += " " + std::to_string(line);
  return said;
}

}  // namespace

TEST_CASE("known_hosts: names, patterns, negation, hashes") {
  const struct {
    std::string names;
    std::string name;
    bool matches;
  } cases[] = {
      {"10.0.0.10", "10.0.0.10", true},
      {"10.0.0.1", "10.0.0.10", false},
      {"10.0.0.100", "10.0.0.10", false},
      {"10.0.0.10", "[10.0.0.10]:2222", false},
      {"[10.0.0.10]:2222", "[10.0.0.10]:2222", true},
      {"[10.0.0.10]:22", "10.0.0.10", false},
      {"[10.0.0.10]:*", "[10.0.0.10]:2222", true},
      {"[10.0.0.10]:*", "10.0.0.10", false},
      {"a,b,10.0.0.10", "10.0.0.10", true},
      {"a,b,", "10.0.0.10", false},
      {"", "10.0.0.10", false},
      {",", "10.0.0.10", false},
      {"*", "10.0.0.10", true},
      {"?", "10.0.0.10", false},
      {"10.0.0.1?", "10.0.0.10", true},
      {"10.0.0.10?", "10.0.0.10", false},
      {"10.*.10", "10.0.0.10", true},
      {"10.*.11", "10.0.0.10", false},
      {"*10*", "10.0.0.10", true},
      {"10.0.0.10***", "10.0.0.10", true},
      {"Inside*.Example.COM", "inside1.example.com", true},
      {"*,!10.0.0.10", "10.0.0.10", false},
      {"!10.0.0.10,*", "10.0.0.10", false},
      {"!10.0.0.1?,10.0.0.10", "10.0.0.10", false},
      {"!10.0.0.11,10.0.0.10", "10.0.0.10", true},
      {"!10.0.0.11", "10.0.0.10", false},
      {"!", "10.0.0.10", false},
      {"2001:db8::1", "2001:db8::1", true},
      {"[2001:db8::1]:2222", "[2001:db8::1]:2222", true},
      {kHashed, "10.0.0.10", true},
      {kHashed, "10.0.0.11", false},
      {kHashed, "[10.0.0.10]:2222", false},
      {kHashedPort, "[10.0.0.10]:2222", true},
      {kHashedPort, "10.0.0.10", false},
      {kHashed + ",10.0.0.10", "10.0.0.10", false},
      {"10.0.0.11," + kHashed, "10.0.0.10", false},
      {kHashed.substr(0, kHashed.size() - 1), "10.0.0.10", false},
      {"|2" + kHashed.substr(2), "10.0.0.10", false},
      {"|1|", "10.0.0.10", false},
      {"|1||", "10.0.0.10", false},
      {"|1|AAAA|AAAA", "10.0.0.10", false},
      {"|*", "10.0.0.10", false},
  };
  for (const auto& c : cases) {
    CAPTURE(c.names);
    CAPTURE(c.name);
    CHECK(known_hosts::names_match(c.names, c.name) == c.matches);
  }
}

TEST_CASE("known_hosts: many stars cost no time") {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  const auto start = std::chrono::steady_clock::now();
  CHECK_FALSE(known_hosts::names_match(pattern + "b", std::string(250, 'a')));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::milliseconds(500));
}

TEST_CASE("known_hosts: what the lines say of a key") {
  const std::string one = text(kOne), other = text(kOther), ecdsa = text(kEcdsa);
  const struct {
    std::string file;
    std::string answer;
  } cases[] = {
      {"", "unknown"},
      {"\n\n# 10.0.0.10 " + one + "\n", "unknown"},
      {"10.0.0.10 " + one, "enrolled"},
      {"10.0.0.10 " + one + "\n", "enrolled"},
      {"10.0.0.10 " + one + " a comment\n", "enrolled"},
      {"10.0.0.10 " + one + "\r\n", "enrolled"},
      {" \t10.0.0.10\t ssh-ed25519\t" + kOne.blob + "\t", "enrolled"},
      {kHashed + " " + one, "enrolled"},
      {"10.0.0.11 " + one, "unknown"},
      {"10.0.0.10 " + other, "changed"},
      {"10.0.0.10 " + ecdsa, "other type"},
      {"10.0.0.10 " + other + "\n10.0.0.10 " + one, "enrolled"},
      {"10.0.0.10 " + ecdsa + "\n10.0.0.10 " + other, "changed"},
      {"10.0.0.10 " + one + "\n@revoked 10.0.0.10 " + one, "revoked"},
      {"@revoked * " + one + "\n10.0.0.10 " + one, "revoked"},
      {"@revoked\t* " + one + "\n10.0.0.10 " + one, "revoked"},
      {"@revoked * ssh-rsa " + kOne.blob + "\n10.0.0.10 " + one, "revoked"},
      {"@revoked " + kHashed + " " + one + "\n10.0.0.10 " + one, "revoked"},
      {"@revoked 10.0.0.11 " + one + "\n10.0.0.10 " + one, "enrolled"},
      {"@revoked 10.0.0.10 " + other + "\n10.0.0.10 " + one, "enrolled"},
      {"@revoked 10.0.0.10 " + other, "unknown"},
      {"@cert-authority 10.0.0.10 " + one, "authority"},
      {"@cert-authority 10.0.0.10 " + other, "authority"},
      {"@cert-authority 10.0.0.10 " + other + "\n10.0.0.10 " + one, "enrolled"},
      {"@cert-authority 10.0.0.10 " + one + "\n10.0.0.10 " + other, "changed"},
      {"@bogus 10.0.0.10 " + one, "unknown 1"},
      {"@revoked @revoked 10.0.0.10 " + one, "unknown 1"},
      {"@ 10.0.0.10 " + one, "unknown 1"},
      {"@revoked", "unknown 1"},
      {"@Revoked 10.0.0.10 " + one, "unknown 1"},
      {"10.0.0.10\n10.0.0.10 ssh-ed25519\n10.0.0.10 " + one, "enrolled 1 2"},
      {"10.0.0.10 ssh-ed25519 " + kEcdsa.blob, "unknown 1"},
      {"10.0.0.10 ssh-ed25519 AAAA", "unknown 1"},
      {"10.0.0.10 ssh-ed25519 !!!!", "unknown 1"},
      {"10.0.0.10 ssh-ed25519 " + kOne.blob + "=", "unknown 1"},
      {"10.0.0.10 ssh-ed25519 " + kOne.blob.substr(0, kOne.blob.size() - 1), "unknown 1"},
      {"10.0.0.10 1024 65537 123456789", "unknown 1"},
      {"10.0.0.10 , " + one, "unknown 1"},
      {std::string("10.0.0.10\0 ", 11) + one, "unknown"},
      {"10.0.0.10 ssh-ed25519 /////w==", "unknown 1"},
      {std::string(100000, 'x') + " " + one + "\n10.0.0.10 " + one, "enrolled"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.file);
    CHECK(answer(c.file) == c.answer);
  }
  CHECK(answer(kHashedPort + " " + one, "[10.0.0.10]:2222") == "enrolled");
  CHECK(answer("10.0.0.10 " + one, "[10.0.0.10]:2222") == "unknown");
}

TEST_CASE("known_hosts: the types that are enrolled") {
  const std::string file = "@revoked * " + text(kOther) + "\n10.0.0.10 " + text(kEcdsa) + "\n10.0.0.10 " + text(kOne) +
                           "\n10.0.0.10 " + text(kOther) + "\n@cert-authority * ssh-rsa AAAA\n";
  CHECK(known_hosts::types(known_hosts::find(file, kName).of_host) ==
        std::vector<std::string>{"ecdsa-sha2-nistp256", "ssh-ed25519"});
  CHECK(known_hosts::types(known_hosts::find(file + "@revoked * " + text(kEcdsa), kName).of_host) ==
        std::vector<std::string>{"ssh-ed25519"});
  CHECK(known_hosts::types(known_hosts::find("@revoked * " + text(kOne), kName).of_host).empty());
}

TEST_CASE("known_hosts: an entry keeps its line, its marker and its names") {
  const auto found =
      known_hosts::find("# 1\na,10.0.0.10,b " + text(kOne) + " of long ago\n" + kHashed + " " + text(kOther) +
                            "\n@revoked 10.* " + text(kOne) + "\n10.0.0.10 ssh-ed25519 AAAAbroken\n",
                        kName);
  REQUIRE(found.of_host.size() == 3);
  CHECK(found.of_host[0].line == 2);
  CHECK(found.of_host[0].names == "a,10.0.0.10,b");
  CHECK(found.of_host[0].marker == known_hosts::Marker::none);
  CHECK(found.of_host[1].line == 3);
  CHECK(found.of_host[1].names == kHashed);
  CHECK(found.of_host[1].key == kOther);
  CHECK(found.of_host[2].names == "10.*");
  CHECK(found.of_host[2].marker == known_hosts::Marker::revoked);
  CHECK(found.unparsed_text() == "; 1 of its lines cannot be read, the first is 5");
  CHECK(known_hosts::find("", kName).unparsed_text() == "");
}
