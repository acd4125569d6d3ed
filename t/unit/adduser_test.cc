#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "../../cmd/asp-adduser/public_key.h"
#include "base/failure.h"
#include "who/authorized_keys.h"
#include "who/proxy_account.h"

namespace {

const std::string kBlob = "AAAAC3NzaC1lZDI1NTE5AAAAIBsXgQqQ0R1Qh0Vg3vhvLZlQ6sVb0dBtNfK6o2dUzH5P";
const std::string kKey = "ssh-ed25519 " + kBlob;

std::string refusal(const std::string& text) {
  try {
    public_key::parse(text, "f");
  } catch (const tool::Failure& failure) {
    CHECK(failure.code() == tool::bad_input);
    return failure.what();
  }
  return "";
}

}  // namespace

TEST_CASE("public_key: what is taken, and how it is written") {
  const auto keys = public_key::parse("# c\n\n  " + kKey + "\t bear@laptop\r\n" + kKey + " again\n", "f");
  REQUIRE(keys.size() == 1);
  CHECK(keys[0].line() == kKey + " bear@laptop");
  CHECK(public_key::parse(kKey, "f")[0].line() == kKey);
}

TEST_CASE("public_key: the form of RFC 4716 is taken, too") {
  const std::string begin = "---- BEGIN SSH2 PUBLIC KEY ----\r\n", end = "---- END SSH2 PUBLIC KEY ----\r\n";
  const std::string body = kBlob.substr(0, 40) + "\r\n" + kBlob.substr(40) + "\r\n";
  CHECK(public_key::parse(begin + body + end, "f")[0].line() == kKey);
  CHECK(public_key::parse(begin + "Comment: \"bear@laptop, 256 bits\"\r\n" + body + end, "f")[0].line() ==
        kKey + " bear@laptop_ 256 bits");
  const auto keys = public_key::parse(
      "# two\n" + begin + "Subject: a\nX-command: id \\\n and: more \\\n of it\n" + body + end + kKey + " again\n",
      "f");
  REQUIRE(keys.size() == 1);
  CHECK(keys[0].comment.empty());
}

TEST_CASE("public_key: comments are cleaned and bounded") {
  CHECK(public_key::parse(kKey + " a\x1b[31m\xc3\xa4\"x", "f")[0].comment == "a__31m___x");
  CHECK(public_key::parse(kKey + " " + std::string(500, 'a'), "f")[0].comment.size() == 100);
  // Cut at a blank, it reads back without one.
  CHECK(public_key::parse(kKey + " " + std::string(99, 'a') + " b", "f")[0].comment == std::string(99, 'a'));
}

TEST_CASE("public_key: a line is refused, with its number") {
  CHECK(refusal("\nno-pty " + kKey) ==
        "f:2: options in front of a key are not accepted: write them to authorized_keys by hand");
  CHECK(refusal("command=\"a b\" " + kKey).find("options") != std::string::npos);
  CHECK(refusal("ssh-rsa " + kBlob) == "f:1: the content of the key is not ssh-rsa");
  CHECK(refusal("ssh-ed25519 " + kBlob.substr(0, 67)) == "f:1: the key is not base64");
  CHECK(refusal("ssh-ed25519 " + kBlob.substr(0, 64)) == "f:1: the key is damaged");
  CHECK(refusal(kKey + "AAAA") == "f:1: the key is damaged");
  CHECK(refusal("ssh-ed25519 =" + kBlob) == "f:1: the key is not base64");
  CHECK(refusal("ssh-ed25519") == "f:1: the key is not base64");
  CHECK(refusal("-----BEGIN OPENSSH PRIVATE KEY-----").find("private key") != std::string::npos);
  CHECK(refusal("---- BEGIN SSH2 PUBLIC KEY ----\n" + kBlob + "\n") ==
        "f: 1: ---- BEGIN SSH2 PUBLIC KEY ---- without an end");
  CHECK(refusal("---- BEGIN SSH2 PUBLIC KEY ----\n---- END SSH2 PUBLIC KEY ----") ==
        "f:1: not a public key of a type that is known (ssh-ed25519, ecdsa-sha2-*, ssh-rsa, sk-*)");
  CHECK(refusal("---- BEGIN SSH2 PUBLIC KEY ----\nAAAA=\n---- END SSH2 PUBLIC KEY ----").find("f:1: not a") == 0);
  CHECK(refusal("") == "f: no public key in it");
  CHECK(refusal("# nothing\n") == "f: no public key in it");
  CHECK(refusal(std::string(public_key::kMaxText + 1, '\n')).find("more than") != std::string::npos);
}

TEST_CASE("public_key: authorized_keys holds a key, with options or without") {
  const auto key = public_key::parse(kKey, "f")[0];
  for (const std::string& line : {kKey, kKey + " x", "from=\"a b\",no-pty " + kKey, "  " + kKey})
    CHECK(public_key::holds(line, key));
  for (const std::string& line :
       {"# " + kKey, std::string(), "ssh-rsa " + kBlob, kKey + "A", "command=\"" + kKey + "\" ssh-rsa AAAA"}) {
    CAPTURE(line);
    CHECK_FALSE(public_key::holds(line, key));
  }
}

TEST_CASE("public_key: lines of a home directory's file, as they are") {
  const std::string with_options = "from=\"a b\",no-pty " + kKey + " x";
  const auto lines = public_key::lines_of("# c\n\n " + kKey + "\r\n" + with_options + "\n" + kKey + "\n");
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].text == kKey);
  CHECK(lines[0].options.empty());
  CHECK(lines[1].text == with_options);
  CHECK(lines[1].options == "from=\"a b\",no-pty");
  CHECK(lines[1].key == lines[0].key);
  CHECK_FALSE(lines[1].is_authority());
  CHECK(public_key::lines_of("no-pty,Cert-Authority " + kKey).at(0).is_authority());
  for (const std::string& line :
       {"# " + kKey, std::string("x"), "ssh-rsa " + kBlob, std::string("ssh-ed25519"),
        "ssh-ed25519 " + kBlob.substr(0, 64), kKey + " a\x1b[31m", kKey + std::string(1, '\0'), "ssh-dss AAAA " + kKey,
        "a b " + kKey, "command=\"" + kKey + "\" ssh-rsa AAAA"}) {
    CAPTURE(line);
    CHECK(public_key::lines_of(line).empty());
  }
  std::string many;
  for (std::size_t i = 0; i < public_key::kMaxKeys; ++i) many += kKey + " " + std::to_string(i) + "\n";
  CHECK(public_key::lines_of(many).size() == public_key::kMaxKeys);
  CHECK_THROWS_AS(public_key::lines_of(many + kKey), tool::Failure);
}

TEST_CASE("authorized_keys: the files that sshd reads") {
  const auto files = [](const std::string& settings) {
    return authorized_keys::read_by_sshd(settings, "bear", "/home/bear");
  };
  using Files = std::vector<std::string>;
  CHECK(files("port 22\nauthorizedkeysfile .ssh/authorized_keys .ssh/authorized_keys2\nx y\n") ==
        Files{"/home/bear/.ssh/authorized_keys", "/home/bear/.ssh/authorized_keys2"});
  CHECK(files("AuthorizedKeysFile /etc/ssh/authorized_keys/%u %h/k /%%u/%x\n") ==
        Files{authorized_keys::path_of("bear"), "/home/bear/k", "/%u/%x"});
  CHECK(files("authorizedkeysfile none\n").empty());
  CHECK(files("authorizedkeysfile\n").empty());
  CHECK(files("authorizedkeysfile /a%").front() == "/a%");
  CHECK(files("").empty());
}

TEST_CASE("proxy_account: names") {
  for (const char* name : {"bear", "_x", "3m", "a.b-c_D", "a1234567890123456789012345678901"}) {
    CAPTURE(name);
    CHECK(proxy_account::is_name(name));
  }
  for (const char* name : {"", "-x", ".", "..", ".x", "a/b", "a:b", "a b", "123", "a\n", "\xc3\xa4", "$(user)",
                           "a12345678901234567890123456789012"}) {
    CAPTURE(name);
    CHECK_FALSE(proxy_account::is_name(name));
  }
}
