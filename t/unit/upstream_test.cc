#include "ssh/upstream_command.h"
#include "ssh/upstream_host_key.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "base/child.h"

TEST_CASE("a command line keeps plain words as they are and quotes all others") {
  using Words = std::vector<std::string>;
  const struct {
    Words words;
    const char* line;
  } cases[] = {
      {{"ascp", "-S.", "-V1"}, "ascp -S. -V1"},
      {{"ascp4", "--x=a,b:c@d%e+f/g_h"}, "ascp4 --x=a,b:c@d%e+f/g_h"},
      {{""}, "''"},
      {{"a", "", "b"}, "a '' b"},
      {{"two words"}, "'two words'"},
      {{"it's"}, "'it'\\''s'"},
      {{"'"}, "''\\'''"},
      {{"$(reboot)"}, "'$(reboot)'"},
      {{"a;b"}, "'a;b'"},
      {{"~root"}, "'~root'"},
      {{"*"}, "'*'"},
      {{"\n"}, "'\n'"},
      {{"\\"}, "'\\'"},
      {{"#x"}, "'#x'"},
      {{"\xc3\xa4"}, "'\xc3\xa4'"},
      {{}, ""},
  };
  for (const auto& each : cases) CHECK(upstream::shell_command(each.words) == each.line);
}

TEST_CASE("a shell splits a command line into the words it was made of") {
  std::string every_byte;
  for (int byte = 1; byte < 256; ++byte) every_byte += static_cast<char>(byte);
  const std::vector<std::string> words{"/usr/bin/printf", "%s\\0", every_byte, "", "'", "a b", "-n", "!x", "{1,2}"};
  std::string expected;
  for (std::size_t i = 2; i < words.size(); ++i) expected += words[i] + '\0';
  const auto shell = child::run({{"/bin/sh", "-c", upstream::shell_command(words)}, {}, {}}, "", 4096, 10);
  CHECK(shell.status == 0);
  CHECK(shell.out == expected);
}

TEST_CASE("an exit status is passed on, an exit signal becomes 128 plus its number") {
  using upstream::End;
  CHECK(End{0, ""}.exit_code() == 0);
  CHECK(End{255, ""}.exit_code() == 255);
  CHECK(End{0, "HUP"}.exit_code() == 129);
  CHECK(End{0, "KILL"}.exit_code() == 137);
  CHECK(End{0, "TERM"}.exit_code() == 143);
  CHECK(End{0, "SYS@openssh.com"}.exit_code() == 128 + 31);
  CHECK(End{0, "NOSUCH"}.exit_code() == 255);
  CHECK(upstream::signal_number("SIGTERM") == 0);
  CHECK(upstream::signal_number("") == 0);
}

TEST_CASE("known_hosts names a server with its port unless that is 22") {
  CHECK(upstream::known_hosts_name({"10.0.0.10", 22}) == "10.0.0.10");
  CHECK(upstream::known_hosts_name({"10.0.0.10", 2222}) == "[10.0.0.10]:2222");
  CHECK(upstream::known_hosts_name({"2001:db8::1", 22}) == "2001:db8::1");
  CHECK(upstream::known_hosts_name({"2001:db8::1", 23}) == "[2001:db8::1]:23");
}
