#include "base/base64.h"

#include <string>

#include <doctest/doctest.h>

TEST_CASE("base64: the vectors of RFC 4648") {
  const struct {
    const char* bytes;
    const char* text;
  } cases[] = {
      {"f", "Zg=="},        {"fo", "Zm8="},        {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.bytes);
    CHECK(base64::encode(c.bytes) == c.text);
    CHECK(base64::decode(c.text) == std::string(c.bytes));
  }
  CHECK(base64::encode("") == "");
}

TEST_CASE("base64: every byte comes back") {
  std::string bytes;
  for (int length = 0; length < 300; ++length) {
    if (length > 0) CHECK(base64::decode(base64::encode(bytes)) == bytes);
    bytes += static_cast<char>(length * 7);
  }
}

TEST_CASE("base64: one writing for each value") {
  for (const char* wrong : {"", "Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm9v\n",
                            " Zm9v", "Zm 9", "Zm-v", "Zm_v", "Zm9vYg=a", "=Zm9"}) {
    CAPTURE(wrong);
    CHECK_FALSE(base64::decode(wrong));
  }
  CHECK_FALSE(base64::decode(std::string("Zm9\0", 4)));
}
