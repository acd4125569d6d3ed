// browse: what ascmd reads and writes, byte by byte as the published side of the protocol has it.
#include <doctest/doctest.h>

#include "base/failure.h"
#include "base/hex.h"
#include "browse/answers.h"
#include "browse/request.h"
#include "browse/tlv.h"

namespace {

using browse::Operation;
using browse::Request;

// In hex, without blanks.
std::string bytes(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (c != ' ' && c != '\n') digits += c;
  }
  return digits;
}

const browse::Stat kReport{"a b", browse::Known{4294967296, 0100644, 1000, "bear", 100, "users", 0, 1, -1}, "", 0};
constexpr std::string_view kReportFields = "01 00000004 61206200"
                                           "02 00000008 0000000100000000"
                                           "03 00000004 000081a4"
                                           "04 0000000b 2d72772d722d2d722d2d00"
                                           "05 00000004 000003e8"
                                           "06 00000005 6265617200"
                                           "07 00000004 00000064"
                                           "08 00000006 757365727300"
                                           "09 00000008 0000000000000000"
                                           "0a 00000015 313937302d30312d30312030303a30303a30305a00"
                                           "0b 00000008 0000000000000001"
                                           "0c 00000015 313937302d30312d30312030303a30303a30315a00"
                                           "0d 00000008 ffffffffffffffff"
                                           "0e 00000015 313936392d31322d33312032333a35393a35395a00";

Request of(Operation operation, std::vector<std::string> paths = {}, std::vector<std::string> globs = {},
           int protocol = 0) {
  return {operation, protocol, std::move(globs), std::move(paths)};
}

}  // namespace

TEST_CASE("browse: each answer is as published, byte by byte") {
  CHECK(hex::encode(browse::file_answer(kReport)) == bytes("01 000000cb") + bytes(kReportFields));
  std::string entries;
  browse::put_entry(entries, kReport);
  CHECK(hex::encode(browse::head(browse::dir, static_cast<std::uint32_t>(entries.size())) + entries) ==
        bytes("02 000000d0 01 000000cb") + bytes(kReportFields));
  CHECK(hex::encode(browse::file_answer({"l", std::nullopt, "../x", 0})) ==
        bytes("01 00000011 01 00000002 6c00 0f 00000005 2e2e2f7800"));
  CHECK(hex::encode(browse::file_answer({"l", std::nullopt, "", 13})) ==
        bytes("01 00000027 01 00000002 6c00 10 00000004 0000000d"
              "11 00000012 5065726d697373696f6e2064656e69656400"));
  CHECK(hex::encode(browse::size_answer({258, 1, 2, 3, -1})) ==
        bytes("03 00000031 01 00000008 0000000000000102 02 00000004 00000001 03 00000004 00000002"
              "04 00000004 00000003 05 00000004 ffffffff"));
  CHECK(hex::encode(browse::error_answer(2, "No")) == bytes("04 00000011 01 00000004 00000002 02 00000003 4e6f00"));
  CHECK(hex::encode(browse::success_answer()) == bytes("06 00000000"));
  CHECK(hex::encode(browse::md5sum_answer("ab")) == bytes("09 00000008 01 00000003 616200"));
  CHECK(hex::encode(browse::disk_answer({{"e", "/", "x", 3, 2, 1, 7}})) ==
        bytes("08 00000049 01 00000002 6500 02 00000002 2f00 03 00000002 7800 04 00000008 0000000000000003"
              "05 00000008 0000000000000002 06 00000008 0000000000000001 07 00000008 0000000000000007"));
  CHECK(hex::encode(browse::info_answer({"L", "S", "ls", 2})) ==
        bytes("05 0000005b 01 00000002 4c00 02 00000002 5300 03 00000003 656e00 04 00000003 555300"
              "05 00000006 5554462d3800 06 00000002 4300 07 00000002 4300 08 00000002 4300 09 00000002 4300"
              "0a 00000002 2f00 0b 00000003 6c7300 0c 00000002 3200"));
}

TEST_CASE("browse: modes as ls(1) writes them, and times") {
  CHECK(browse::mode_text(040755) == "drwxr-xr-x");
  CHECK(browse::mode_text(0104711) == "-rws--x--x");
  CHECK(browse::mode_text(0102640) == "-rw-r-S---");
  CHECK(browse::mode_text(041777) == "drwxrwxrwt");
  CHECK(browse::mode_text(041776) == "drwxrwxrwT");
  CHECK(browse::mode_text(0120777) == "lrwxrwxrwx");
  CHECK(browse::mode_text(0010000) == "p---------");
  CHECK(browse::mode_text(0140000) == "s---------");
  CHECK(browse::mode_text(0020000) == "c---------");
  CHECK(browse::mode_text(0060000) == "b---------");
  CHECK(browse::time_text(1796082302) == "2026-11-30 23:45:02Z");
  CHECK(browse::time_text(INT64_MAX) == "-");
}

TEST_CASE("browse: answers are read back") {
  const auto value = [](const std::string& answer) { return std::string_view(answer).substr(browse::kHeadSize); };
  for (const auto& stat : {kReport, browse::Stat{"\xff\n", std::nullopt, "", 5}, browse::Stat{"l", {}, "t", 0}}) {
    const std::string answer = browse::file_answer(stat);
    CHECK(browse::stat_in(value(answer)) == stat);
    CHECK(browse::entries_in(answer) == std::vector<browse::Stat>{stat});
    for (std::size_t cut = 1; cut < answer.size(); ++cut)
      CHECK_FALSE(browse::entries_in(std::string_view(answer).substr(0, cut)));
  }
  const std::string size = browse::size_answer({1, 2, 3, 4, 5});
  CHECK(browse::size_in(value(size)) == browse::Size{1, 2, 3, 4, 5});
  const std::string error = browse::error_answer(13, "why");
  CHECK(browse::error_in(value(error))->number == 13);
  CHECK(browse::error_in(value(error))->text == "why");
  CHECK_FALSE(browse::stat_in(""));  // no name
  CHECK_FALSE(browse::text_in("abc"));
  CHECK_FALSE(browse::text_in(std::string_view("a\0b\0", 4)));
  CHECK_FALSE(browse::int32_in("abc"));
  std::string long_text;
  browse::put_text(long_text, 1, std::string_view("a\0b", 3));
  CHECK(hex::encode(long_text) == bytes("01 00000002 6100"));
}

TEST_CASE("browse: a line is words, quoted or not") {
  const auto parse = [](const std::string& line) { return browse::parse_request(line); };
  CHECK(parse("as_ls /") == of(Operation::ls, {"/"}));
  CHECK(parse("  as_ls   \"a \\\"b\\\" \\\\c\"  ") == of(Operation::ls, {"a \"b\" \\c"}));
  CHECK(parse("as_ls 'a \"b' ") == of(Operation::ls, {"a \"b"}));
  CHECK(parse("as_ls a\"b c\"'d e'\\ f") == of(Operation::ls, {"ab cd e f"}));
  CHECK(parse("as_ls \\\n") == of(Operation::ls, {"\n"}));
  CHECK(parse("as_ls \xff\x01\t") == of(Operation::ls, {"\xff\x01\t"}));
  CHECK(parse("as_ls -f *.pdf -f '*.[tT]xt' /x") == of(Operation::ls, {"/x"}, {"*.pdf", "*.[tT]xt"}));
  CHECK(parse("as_ls -f") == of(Operation::ls, {"-f"}));
  CHECK(parse("as_info\r") == of(Operation::info));
  CHECK(parse("as_du x") == of(Operation::du, {"x"}));
  CHECK(parse("as_df") == of(Operation::df));
  CHECK(parse("as_df x") == of(Operation::df, {"x"}));
  CHECK(parse("as_md5sum x") == of(Operation::md5sum, {"x"}));
  CHECK(parse("as_mkdir x") == of(Operation::mkdir, {"x"}));
  CHECK(parse("as_rm x") == of(Operation::rm, {"x"}));
  CHECK(parse("as_mv \"a\" \"b\"") == of(Operation::mv, {"a", "b"}));
  CHECK(parse("as_cp a b") == of(Operation::cp, {"a", "b"}));
  CHECK(parse("as_exit") == of(Operation::exit));
  CHECK(parse("as_session_init --protocol=2 --host=x --more") == of(Operation::session_init, {}, {}, 2));
  CHECK(parse("as_session_init") == of(Operation::session_init));
  for (const char* line : {"", "   ", "\r"}) CHECK_FALSE(parse(line));
}

TEST_CASE("browse: what is not a request is refused") {
  for (const char* line : {"ls /",
                           "as_ls",
                           "as_ls a b",
                           "as_ls ''",
                           "as_ls \"a",
                           "as_ls 'a",
                           "as_ls a\\",
                           "as_ls -f x *  y",
                           "as_mv a",
                           "as_mv a b c",
                           "as_exit now",
                           "as_info x",
                           "as_df a b",
                           "as_rm",
                           "AS_LS /",
                           "as_lsx /",
                           "''",
                           "as_session_init x",
                           "as_session_init --protocol=3",
                           "as_session_init --protocol=0",
                           "as_session_init --protocol=",
                           "\xff\xfe",
                           "as_ls\t/"}) {
    CAPTURE(line);
    CHECK_THROWS_AS(browse::parse_request(line), tool::Failure);
  }
  CHECK_THROWS_AS(browse::parse_request(std::string_view("as_ls a\0b", 9)), tool::Failure);
}

TEST_CASE("browse: lines are bounded, and an escaped end is none") {
  const auto all = [](const std::vector<std::string>& pieces) {
    browse::Lines lines;
    std::vector<std::string> found;
    const auto add = [&](const browse::Lines::Line& line) { found.push_back(line.too_long ? "TOO LONG" : line.text); };
    for (const auto& piece : pieces) {
      lines.add(piece);
      while (const auto line = lines.next()) add(*line);
    }
    if (const auto line = lines.rest()) add(*line);
    return found;
  };
  using Found = std::vector<std::string>;
  CHECK(all({"a\nb\n\nc"}) == Found{"a", "b", "", "c"});
  CHECK(all({"a", "b\nc", "\n"}) == Found{"ab", "c"});
  CHECK(all({"a\\", "\nb\n"}) == Found{"a\\\nb"});
  CHECK(all({"a\\\\", "\nb\n"}) == Found{"a\\\\", "b"});
  CHECK(all({std::string(browse::kMaxLine, 'x') + "\ny\n"}) == Found{std::string(browse::kMaxLine, 'x'), "y"});
  CHECK(all({std::string(browse::kMaxLine + 1, 'x') + "\ny\n"}) == Found{"TOO LONG", "y"});
  CHECK(all({std::string(1 << 20, 'x'), std::string(1 << 20, 'x') + "\ny"}) == Found{"TOO LONG", "y"});
}

TEST_CASE("browse: a word is read back from its quotes") {
  for (const std::string word : {"", "a", "a b", "\"", "\\", "\n", "'", "\xff\x01", "a\\\"b\n\\"})
    CHECK(browse::request_words("x " + browse::quoted(word)) == std::vector<std::string>{"x", word});
}

TEST_CASE("browse: globs") {
  const auto matching = {std::pair{"*", ""},  {"*", "abc"},           {"a*c", "abc"},   {"a*c", "ac"}, {"?", "x"},
                         {"[abc]x", "bx"},    {"[!abc]x", "dx"},      {"[a-c]", "b"},   {"[]]", "]"},  {"[a-]", "-"},
                         {"\\*", "*"},        {"*.pdf", ".pdf"},      {"**a**", "bab"}, {"[", "["},    {"[a", "[a"},
                         {"a\\", "a\\"},      {"*ab*cd", "xabyabcd"}, {"[^]", "[^]"},   {"[]", "[]"},  {"[[]", "["},
                         {"*[x[!y", "a[x[!y"}};
  for (const auto& [glob, name] : matching) {
    CAPTURE(glob);
    CHECK(browse::glob_matches(glob, name));
  }
  const auto others = {std::pair{"", "a"}, {"a", ""},    {"a", "ab"},         {"?", ""},      {"[abc]", "d"},
                       {"[!a]", "a"},      {"\\*", "a"}, {"*.pdf", "a.pdfx"}, {"[a-c]", "d"}, {"a?c", "ac"}};
  for (const auto& [glob, name] : others) {
    CAPTURE(glob);
    CHECK_FALSE(browse::glob_matches(glob, name));
  }
  std::string stars;
  for (int i = 0; i < 10000; ++i) stars += "*a";
  CHECK_FALSE(browse::glob_matches(stars + "b", std::string(255, 'a')));  // at once
  CHECK_FALSE(browse::glob_matches("*" + std::string(60000, '['), std::string(255, '[')));
  CHECK(browse::parse_request("as_ls -f " + std::string(4096, '*') + " /")->globs.size() == 1);
  CHECK_THROWS_AS(browse::parse_request("as_ls -f " + std::string(4096, '*') + " -f x /"), tool::Failure);
}
