#include "http/request_head.h"

#include <doctest/doctest.h>

#include <string>

using request_head::Head;
using namespace std::string_literals;

namespace {

Head plain() { return {"POST", "/proxy/leases", "HTTP/1.1", {{"Host", "x"}, {"Content-Length", "31"}}}; }

Head with(std::string_view name, std::string_view value) {
  Head head = plain();
  head.headers.emplace_back(name, value);
  return head;
}

Head with_host(std::string_view host) { return {"GET", "/", "HTTP/1.1", {{"Host", host}}}; }
Head with_path(std::string_view path) { return {"GET", path, "HTTP/1.1", {{"Host", "x"}}}; }

// "M" is the method, and so on: parts of one text, as a library leaves it.
bool plain_in(const std::string& raw, std::size_t name_at, std::size_t value_at, std::size_t value_size) {
  const std::string_view all = raw;
  return request_head::is_plain({all.substr(0, 1),
                                 all.substr(2, 1),
                                 all.substr(4, 1),
                                 {{all.substr(name_at, 1), all.substr(value_at, value_size)}}},
                                all);
}

}  // namespace

TEST_CASE("request_head: what is usual is taken") {
  CHECK(request_head::fault(plain()) == "");
  CHECK(request_head::fault({"GET", "/ping", "HTTP/1.0", {}}) == "");
  CHECK(request_head::fault({"POST", "/", "HTTP/1.1", {{"HOST", "x"}, {"transfer-encoding", "Chunked"}}}) == "");
  for (const char* host : {"x", "proxy.example.com", "proxy.example.com.:9091", "a_b", "203.0.113.1:9091",
                           "[2001:db8::1]", "[2001:db8::1]:9092", "x:"})
    CHECK_MESSAGE(request_head::fault(with_host(host)) == "", host);
  for (const char* path : {"/", "/a/b-c_d.e~f", "/%2fx%00", "/a:b@c!$&'()*+,;=", "//x"})
    CHECK_MESSAGE(request_head::fault(with_path(path)) == "", path);
  CHECK(request_head::fault(with("X", "caf\xe9\t")) == "");
}

TEST_CASE("request_head: what can be understood in two ways is not") {
  CHECK(request_head::fault(with("Content-Length", "31")) != "");
  CHECK(request_head::fault(with("content-length", "30")) != "");
  CHECK(request_head::fault(with("Transfer-Encoding", "chunked")) != "");
  CHECK(request_head::fault(with("TRANSFER-ENCODING", "")) != "");
  CHECK(request_head::fault(with("host", "x")) != "");
  CHECK(request_head::fault(with("X", "a\0b"s)) != "");
  CHECK(request_head::fault(with("X", "a\rb")) != "");
  CHECK(request_head::fault(with("X", "\x7f")) != "");
  for (const auto& name : {""s, "X "s, "X\t"s, " X"s, "X\0"s, "X:"s, "\xe9"s})
    CHECK(request_head::fault(with(name, "a")) != "");
  for (const char* length : {"", "+1", "-1", "0x1", "1 1", "1,1", "1e1", " 1", "\xd9\xa3"})
    CHECK(request_head::fault({"GET", "/", "HTTP/1.1", {{"Host", "x"}, {"Content-Length", length}}}) != "");
  for (const char* coding :
       {"", "gzip", "identity", "chunked, chunked", "gzip, chunked", "chunked;x", "chunked ", "xchunked"})
    CHECK(request_head::fault({"GET", "/", "HTTP/1.1", {{"Host", "x"}, {"Transfer-Encoding", coding}}}) != "");
  CHECK(request_head::fault({"GET", "/", "HTTP/1.0", {{"Transfer-Encoding", "chunked"}}}) != "");
  CHECK(request_head::fault({"GET", "/", "HTTP/1.1", {}}) != "");
  for (const auto& host : {""s, "x y"s, "x,y"s, "a@x"s, "x/y"s, "[::1"s, "::1"s, "[x]"s, "[]"s, "x:1a"s, "x:1:2"s,
                           "[::1]x"s, ":9091"s, "x\0"s})
    CHECK_MESSAGE(request_head::fault(with_host(host)) != "", host);
  for (const auto& path : {""s, "*"s, "x"s, "http://x/"s, "/#"s, "/\\"s, "/ "s, "/%"s, "/%1"s, "/%g1"s, "/\0"s, "/\t"s,
                           "/\x7f"s, "/\xc3\xaf"s, "/?"s, "/\""s})
    CHECK_MESSAGE(request_head::fault(with_path(path)) != "", path);
  for (const auto& method : {""s, "G T"s, "G\0"s, "G@"s, "G:"s})
    CHECK(request_head::fault({method, "/", "HTTP/1.0", {}}) != "");
  for (const char* version : {"", "HTTP/1.2", "HTTP/2.0", "HTTP/1.10", "http/1.1", "HTTP/0.9", "HTTP/1.1 "})
    CHECK(request_head::fault({"GET", "/", version, {{"Host", "x"}}}) != "");
}

TEST_CASE("request_head: nothing but separators stands between the parts") {
  CHECK(plain_in("M\0P\0V\0\0n\0v\0\0\0\0"s, 7, 9, 1));
  CHECK(plain_in("M P V\r\nn:v\r\n\r\n"s, 7, 9, 1));
  CHECK(plain_in("M\0P\0V\0\0n\0 \tv \t\0\0\0\0"s, 7, 11, 1));
  CHECK(plain_in("M\0P\0V\0\0n\0\0\0\0\0"s, 7, 9, 0));
  CHECK(!plain_in("M\0P\0V\0n\0v\0\0\0\0"s, 6, 8, 1));            // LF alone
  CHECK(!plain_in("M\0P\0V\0\0n\0v\0\0\0"s, 7, 9, 1));            // at the end
  CHECK(!plain_in("M\0P\0V\0\0n\0v\0w\0\0\0\0"s, 7, 9, 1));       // NUL in the value
  CHECK(!plain_in("M\0P\0V\0\0n\0v\0\0\0\0\0"s, 7, 9, 1));        // behind it
  CHECK(!plain_in("M\0P\0V\0\0n\0v\0\0 w\0\0\0\0"s, 7, 9, 1));    // folded
  CHECK(!plain_in("M\0P\0V\0\0n\0v\0\0x\0y\0\0\0\0"s, 7, 9, 1));  // a header that nobody told of
  const std::string elsewhere = "v";
  const std::string raw = "M\0P\0V\0\0n\0v\0\0\0\0"s;
  const std::string_view all = raw;
  CHECK(!request_head::is_plain({all.substr(0, 1), all.substr(2, 1), all.substr(4, 1), {{all.substr(7, 1), elsewhere}}},
                                all));
}
