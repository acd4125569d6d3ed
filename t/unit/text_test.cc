#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "base/cut.h"
#include "base/hex.h"

using cut::Views;
using namespace std::string_view_literals;

TEST_CASE("cut: lines, of which the last may lack its newline") {
  CHECK(cut::lines("").empty());
  CHECK(cut::lines("\n") == Views{""});
  CHECK(cut::lines("a") == Views{"a"});
  CHECK(cut::lines("a\n") == Views{"a"});
  CHECK(cut::lines("a\nb") == Views{"a", "b"});
  CHECK(cut::lines("\n\na b\r\n\n") == Views{"", "", "a b\r", ""});
  CHECK(cut::lines("a\0b\nc"sv) == Views{"a\0b"sv, "c"});
}

TEST_CASE("cut: words, however they are parted") {
  CHECK(cut::words("").empty());
  CHECK(cut::words(" \t\r\n\v\f").empty());
  CHECK(cut::words("a") == Views{"a"});
  CHECK(cut::words("  a\t\tb \n c") == Views{"a", "b", "c"});
  CHECK(cut::words("a, b,,c", ", ") == Views{"a", "b", "c"});
  CHECK(cut::words("a\tb c", " ") == Views{"a\tb", "c"});
}

TEST_CASE("cut: fields, empty ones too") {
  CHECK(cut::fields("", ':') == Views{""});
  CHECK(cut::fields(":", ':') == Views{"", ""});
  CHECK(cut::fields("a", ':') == Views{"a"});
  CHECK(cut::fields("a::b:", ':') == Views{"a", "", "b", ""});
}

TEST_CASE("cut: blanks at the ends") {
  CHECK(cut::trimmed("") == "");
  CHECK(cut::trimmed(" \n") == "");
  CHECK(cut::trimmed("a") == "a");
  CHECK(cut::trimmed("\r\n a b\t") == "a b");
  CHECK(cut::trimmed("\n a\n", " ") == "\n a\n");
}

TEST_CASE("hex: bytes and digits") {
  CHECK(hex::encode("") == "");
  CHECK(hex::encode("\x00\x0f\xa0\xff"sv) == "000fa0ff");
  CHECK(hex::decode("") == "");
  CHECK(hex::decode("000fA0fF") == std::string("\x00\x0f\xa0\xff", 4));
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  CHECK(hex::decode(hex::encode(all)) == all);
}

TEST_CASE("hex: what is not hex") {
  for (const char* const wrong : {"0", "000", "0g", "g0", "0x", " 0", "0 ", "-1", "0:", "a/", "@a", "`a", "\xff\xff"}) {
    CAPTURE(wrong);
    CHECK_FALSE(hex::decode(wrong));
  }
  CHECK_FALSE(hex::decode("0\0"sv));
  CHECK(hex::value_of('0') == 0);
  CHECK(hex::value_of('f') == 15);
  CHECK(hex::value_of('F') == 15);
  CHECK(hex::value_of('g') == -1);
  CHECK(hex::value_of('\0') == -1);
}
