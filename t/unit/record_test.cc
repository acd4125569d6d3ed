#include <doctest/doctest.h>

#include <string>

#include "base/failure.h"
#include "base/record.h"
#include "base/status.h"

TEST_CASE("record: what is written is what is read") {
  Record record;
  record.add("user", "bear");
  record.add("host", "10.0.0.10:22");
  record.add("host", "10.0.0.11:22");
  record.add("command", "a = b  c");
  record.add("empty", "");
  const auto again = record::parse_one(record.text());
  CHECK(again.fields() == record.fields());
  CHECK(again.all("host").size() == 2);
  CHECK(again.get("command") == "a = b  c");
  CHECK_FALSE(again.get("nothing"));
  CHECK_THROWS_AS(again.require("nothing"), tool::Failure);
}

TEST_CASE("record: comments and leading empty lines are skipped, EOF ends the last record") {
  const auto records = record::parse_all("\n\n# one\na=1\n\n\nb=2\n# two\nc=3");
  REQUIRE(records.size() == 2);
  CHECK(records[1].get("c") == "3");
}

TEST_CASE("record: whatever breaks the format is refused") {
  const std::string long_name(65, 'a');
  std::string many;
  for (int i = 0; i < 65; ++i) many += "a=1\n";
  for (const std::string& text :
       {std::string("novalue"), std::string("=x"), std::string("A=x"), std::string("1a=x"), std::string("a b=x"),
        std::string("a=x\ty"), std::string("a=x\r\n"), std::string("a=\x7f"), std::string("a=\0b", 4), long_name + "=x",
        many, "a=" + std::string(8192, 'x')}) {
    CAPTURE(text);
    CHECK_THROWS_AS(record::parse_all(text), tool::Failure);
  }
  CHECK_THROWS_AS(record::parse_one(""), tool::Failure);
  CHECK_THROWS_AS(record::parse_one("a=1\n\nb=2\n"), tool::Failure);
}

TEST_CASE("record: limits hold at the last legal value") {
  std::string many;
  for (int i = 0; i < 64; ++i) many += "a=1\n";
  CHECK(record::parse_one(many).all("a").size() == 64);
  CHECK_NOTHROW(record::parse_one(std::string(64, 'a') + "=x"));
  CHECK_NOTHROW(record::parse_one("a=" + std::string(8192 - 3, 'x')));
  CHECK_THROWS(record::parse_one("a=" + std::string(8192 - 2, 'x')));
}

TEST_CASE("record: a privileged reader knows every name") {
  const auto record = record::parse_one("a=1\nb=2\nb=3\n");
  CHECK_NOTHROW(record.check_names({"a"}, {"b"}));
  CHECK_THROWS(record.check_names({"a", "b"}));
  CHECK_THROWS(record.check_names({"a"}));
}

TEST_CASE("status: words survive quoting") {
  status::Line line{"refused", {}};
  line.with("reason", "no \"rule\" \\ here\n").with("client", "10.0.0.1:22").with("empty", "");
  std::string text = line.text();
  CHECK(text == "refused reason=\"no \\\"rule\\\" \\\\ here\\x0a\" client=10.0.0.1:22 empty=\"\"\n");
  text.pop_back();
  const auto again = status::parse(text);
  CHECK(again.event == "refused");
  CHECK(again.words == line.words);
  CHECK(again.get("absent").empty());
}

TEST_CASE("status: a code that is none of ours, however it is written, is a fault") {
  const auto code = [](const std::string& text) { return status::failure_code({"failed", {{"code", text}}}); };
  CHECK(code("77") == tool::not_permitted);
  // The last ones are 77 in the lowest 32 bits.
  for (const char* text :
       {"", "0", "1", "63", "79", "077", " 77", "77x", "-179", "+77", "4294967373", "18446744073709551693"}) {
    CAPTURE(text);
    CHECK(code(text) == tool::internal);
  }
}

TEST_CASE("status: malformed lines are refused") {
  for (const char* text : {"", " a=b", "a=b", "open  a=b", "open a", "open a=\"b", "open a=\"b\"c", "open a=\"\\y\"",
                           "open a=b ", "open a=\"\\x1\""}) {
    CAPTURE(text);
    CHECK_THROWS_AS(status::parse(text), tool::Failure);
  }
  CHECK_NOTHROW(status::parse("open"));
}
