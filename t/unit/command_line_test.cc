#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "who/command_line.h"

namespace {

using command_line::Words;

bool accepted(const std::string& line) {
  const auto words = command_line::split(line);
  return words && command_line::find(*words, command_line::built_in());
}

}  // namespace

TEST_CASE("command line: words are parted at blanks, quotes and backslashes read as sh does") {
  const struct {
    std::string text;
    Words words;
  } cases[] = {
      {"", {}},
      {"   ", {}},
      {"ascp", {"ascp"}},
      {"  ascp   -S.  -V1 ", {"ascp", "-S.", "-V1"}},
      {"'a b' c", {"a b", "c"}},
      {"\"a b\" c", {"a b", "c"}},
      {"a' 'b\" \"c", {"a b c"}},
      {"''", {""}},
      {"\"\" ''", {"", ""}},
      {"a\\ b", {"a b"}},
      {"\\a\\'\\\"\\\\", {"a'\"\\"}},
      {"'a\\b'", {"a\\b"}},
      {"'a\"b'", {"a\"b"}},
      {"\"a'b\"", {"a'b"}},
      {"\"a\\\"b\"", {"a\"b"}},
      {"\"a\\\\b\"", {"a\\b"}},
      {"\"a\\$b\\`c\"", {"a$b`c"}},
      {"\"a\\nb\"", {"a\\nb"}},
      {"';&|<>()`$#'", {";&|<>()`$#"}},
      {"\";&|<>()#\"", {";&|<>()#"}},
      {"\\;\\&\\|\\<\\>\\(\\)\\`\\$\\#", {";&|<>()`$#"}},
      {"* ? [a] ~ {a,b} !", {"*", "?", "[a]", "~", "{a,b}", "!"}},
      {"A=b ascp", {"A=b", "ascp"}},
      {"as'cp' \"-\"S.", {"ascp", "-S."}},
      {"\xC3\xA4", {"\xC3\xA4"}},
  };
  for (const auto& c : cases) {
    CAPTURE(c.text);
    const auto words = command_line::split(c.text);
    REQUIRE(words);
    CHECK(*words == c.words);
  }
}

TEST_CASE("command line: whatever would need a shell, or never ends, is refused") {
  for (const std::string text :
       {"a;b", "a; b", ";",    "a&b",  "a&&b", "a||b", "a|b", "a<b",    "a>b",      "(a)",     "a)",         "`a`",
        "a`",  "$a",   "$(a)", "${a}", "#a",   "a#b",  "a $", "\"$a\"", "\"$(a)\"", "\"`a`\"", "\"${IFS}\"", "'a",
        "\"a", "a'",   "a\"",  "'a\"", "\"a'", "'",    "\"",  "a\\",    "\\",       "\"a\\",   "\"a\\\""}) {
    CAPTURE(text);
    CHECK_FALSE(command_line::split(text));
  }
}

TEST_CASE("command line: one line end behind the command is ignored") {
  CHECK(command_line::split("ascp -S. -V1\n") == Words{"ascp", "-S.", "-V1"});
  CHECK(command_line::split("ascmd\r\n") == Words{"ascmd"});
  CHECK(command_line::split("'a b'\n") == Words{"a b"});
  for (const std::string text : {"a\n\n", "a\r", "a\n\r", "a\r\r\n", "\na", "'a\n", "a\\\n", "a\nb\n", "\n\n"})
    CHECK_FALSE(command_line::split(text));
}

TEST_CASE("command line: every control character is refused, quoted or not") {
  for (int c = 0; c < 256; ++c) {
    if (c >= 0x20 && c != 0x7f) continue;
    CAPTURE(c);
    const std::string byte(1, static_cast<char>(c));
    CHECK_FALSE(command_line::split("a" + byte + "b"));
    CHECK_FALSE(command_line::split("'a" + byte + "b'"));
    CHECK_FALSE(command_line::split("\"a" + byte + "b\""));
    CHECK_FALSE(command_line::split("a\\" + byte));
    if (c == '\n') continue;
    CHECK_FALSE(command_line::split(byte));
    CHECK_FALSE(command_line::split("ascmd" + byte));
  }
}

TEST_CASE("command line: 4096 bytes are the longest") {
  CHECK(command_line::split(std::string(command_line::kMaxBytes, 'a')));
  CHECK_FALSE(command_line::split(std::string(command_line::kMaxBytes + 1, 'a')));
  CHECK_FALSE(command_line::split("ascmd" + std::string(command_line::kMaxBytes, ' ')));
}

TEST_CASE("command line: in a pattern %d is a number, %s a word, a last ... any words") {
  const struct {
    std::string pattern;
    Words words;
    bool matches;
  } cases[] = {
      {"a", {"a"}, true},
      {"a", {}, false},
      {"a", {"a", "b"}, false},
      {"a", {"A"}, false},
      {"a b", {"a b"}, false},
      {"a  b ", {"a", "b"}, true},
      {"a %d", {"a", "0"}, true},
      {"a %d", {"a", "0123456789"}, true},
      {"a %d", {"a", "01234567890"}, false},
      {"a %d", {"a", ""}, false},
      {"a %d", {"a", "-1"}, false},
      {"a %d", {"a", "+1"}, false},
      {"a %d", {"a", "1x"}, false},
      {"a %d", {"a", "1 "}, false},
      {"a %d", {"a", "\xD9\xA1"}, false},
      {"a %d", {"a"}, false},
      {"a %d", {"a", "%d"}, false},
      {"a %s", {"a", "b c"}, true},
      {"a %s", {"a", ""}, false},
      {"a %s", {"a"}, false},
      {"a %s", {"a", "b", "c"}, false},
      {"a %1s %2s %12s", {"a", "b", "c", "d"}, true},
      {"a %1s", {"a", "long"}, true},
      {"a %1s", {"a", ""}, false},
      {"a ...", {"a"}, true},
      {"a ...", {"a", "b", "", "c"}, true},
      {"a ...", {"b"}, false},
      {"a ...", {}, false},
      {"a %d ...", {"a"}, false},
      {"a %d ...", {"a", "1", "x"}, true},
      {"...", {"a"}, false},
      {"...", {"..."}, true},
      {"... a", {"b", "a"}, false},
      {"... a", {"...", "a"}, true},
      {"a -p%d", {"a", "-p1"}, false},
      {"a -p%d", {"a", "-p%d"}, true},
      {"a x%s", {"a", "xy"}, false},
      {"a %", {"a", "%"}, true},
      {"a %x", {"a", "b"}, false},
      {"a %ss", {"a", "b"}, false},
      {"a %-1s", {"a", "b"}, false},
      {"", {}, false},
      {"  ", {}, false},
      {"%s", {"anything"}, true},
      {"a ....", {"a", "b"}, false},
  };
  for (const auto& c : cases) {
    CAPTURE(c.pattern);
    CAPTURE(c.words.size());
    CHECK(command_line::matches(c.words, c.pattern) == c.matches);
  }
}

TEST_CASE("command line: the first command of a list that matches is found") {
  const std::vector<config::Command> list{{"a %d", false}, {"a %s", true}};
  CHECK_FALSE(command_line::find({"a", "1"}, list)->udp);
  CHECK(command_line::find({"a", "b"}, list)->udp);
  CHECK_FALSE(command_line::find({"a"}, list));
  CHECK_FALSE(command_line::find({"a", "1"}, {}));
}

TEST_CASE("command line: exactly what real clients send is built in, and only ascmd needs no UDP") {
  const struct {
    std::string line;
    bool udp;
  } lines[] = {
      {"ascp -S. -V1", true},
      {"ascp4 -S.", true},
      {"ascp --no-mgmt-port-files -M 61022 -S. -V1 abc", true},
      {"async -q -S -s-", true},
      {"ascmd", false},
      {"ascmd -V2", false},
      {"asp-cp -S", true},
      {"'ascp' \"-S.\" -V\\1", true},
  };
  for (const auto& c : lines) {
    CAPTURE(c.line);
    const auto found = command_line::find(*command_line::split(c.line), command_line::built_in());
    REQUIRE(found);
    CHECK(found->udp == c.udp);
  }
  CHECK(command_line::built_in().size() == 7);
}

TEST_CASE("command line: near misses of the built-in ones are refused") {
  for (const std::string line : {"",
                                 " ",
                                 "ascp",
                                 "ascp -S.",
                                 "ascp -V1",
                                 "ascp -V1 -S.",
                                 "ascp -S. -V1 x",
                                 "ascp -S. -V1 -V1",
                                 "ascp -S. -V2",
                                 "ascp -S. -V",
                                 "ascp -S -V1",
                                 "ascp -S. -V11",
                                 "ascp -S.. -V1",
                                 "ascp -S.-V1",
                                 "ascp-S. -V1",
                                 "ascp -S. '-V1 '",
                                 "ascp '-S. -V1'",
                                 "'ascp -S. -V1'",
                                 "ascp '' -S. -V1",
                                 "ascp -S. -V1 ''",
                                 "ascp -s. -V1",
                                 "ascp -S. -v1",
                                 "Ascp -S. -V1",
                                 "ASCP -S. -V1",
                                 "xascp -S. -V1",
                                 "ascpx -S. -V1",
                                 "ascp/ -S. -V1",
                                 "./ascp -S. -V1",
                                 "/usr/bin/ascp -S. -V1",
                                 "../ascp -S. -V1",
                                 "A=b ascp -S. -V1",
                                 "env ascp -S. -V1",
                                 "exec ascp -S. -V1",
                                 "- ascp -S. -V1",
                                 "-- ascp -S. -V1",
                                 "ascp -- -S. -V1",
                                 "ascp4",
                                 "ascp4 -S. -V1",
                                 "ascp4 -S",
                                 "ascp4 -S./",
                                 "ascp5 -S.",
                                 "ascp --no-mgmt-port-files -M -S. -V1 a",
                                 "ascp --no-mgmt-port-files -M x -S. -V1 a",
                                 "ascp --no-mgmt-port-files -M -1 -S. -V1 a",
                                 "ascp --no-mgmt-port-files -M 1 -S. -V1",
                                 "ascp --no-mgmt-port-files -M 1 -S. -V1 ''",
                                 "ascp --no-mgmt-port-files -M 1 -S. -V1 a b",
                                 "ascp --no-mgmt-port-files -M 12345678901 -S. -V1 a",
                                 "async",
                                 "async -q -S",
                                 "async -q -S -s",
                                 "async -q -S -s- x",
                                 "async -qS -s-",
                                 "ascmd -V1",
                                 "ascmd -V2 x",
                                 "ascmd -V",
                                 "ascmd --",
                                 "ascmd ''",
                                 "asp-cp",
                                 "asp-cp -S x",
                                 "asp-cp -S.",
                                 "asp-cp -s",
                                 "asp-cp --S",
                                 "sftp-server",
                                 "internal-sftp",
                                 "scp -t .",
                                 "%s",
                                 "%d",
                                 "...",
                                 "\xD0\xB0scp -S. -V1",       // Cyrillic a
                                 "as\xD1\x81p -S. -V1",       // Cyrillic s
                                 "\xEF\xBD\x81scp -S. -V1",   // full-width a
                                 "ascp\xE2\x80\x8B -S. -V1",  // zero-width space
                                 "ascp\xC2\xA0-S. -V1",       // no-break space
                                 "ascp \xE2\x80\x90S. -V1",   // hyphen that is not a minus
                                 "\xEF\xBB\xBF"
                                 "ascp -S. -V1",  // byte order mark
                                 "ascmd\xCC\x81",
                                 "ascmd\xAD",
                                 "ascmd\x80"}) {
    CAPTURE(line);
    CHECK_FALSE(accepted(line));
  }
}
