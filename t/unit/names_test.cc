// Which names and addresses go through the whole chain, and which are refused where they are written.
#include <doctest/doctest.h>

#include <string>

#include "base/accounts.h"
#include "base/address.h"
#include "base/failure.h"
#include "base/logging.h"
#include "base/record.h"
#include "base/status.h"
#include "config/value.h"

#include "session/request.h"
#include "session/rules.h"
#include "session/session.h"

namespace {

const std::string kUmlaut = "j\xc3\xbcrgen";

session::Request request_of(const std::string& user) {
  return {user, *Endpoint::parse("198.51.100.10:51512"), *Endpoint::parse("198.51.100.39:33001"), {}, "ascp -V", true};
}

// The names of fields that whoever reads the log finds in a line.
std::string field_names(const std::string& line) {
  std::string names;
  std::size_t from = 0;
  while (from < line.size()) {
    const auto end = std::min(line.find(' ', from), line.size());
    const auto word = line.substr(from, end - from);
    names += word.substr(0, word.find('=')) + " ";
    from = end + 1;
  }
  return names;
}

}  // namespace

TEST_CASE("names: what an account may be called goes through records, status lines, the log and rules") {
  for (const std::string& name : std::vector<std::string>{
           "a", "bear", "Bear", "BEAR", "_svc", "1", "4711", "07", "a.b", ".hidden", "...", "a-b", "a_b", "a+b", "~",
           // Windows, winbind, SSSD, Samba, NIS
           "CORP\\bear", "corp\\bear", "CORP+bear", "CORP.bear", "bear@corp", "bear@corp.example.com",
           "Bear.Grizzly@Corp.Example.COM", "corp.example.com\\bear", "HOST$", "CORP\\HOST$", "machine-1$",
           "domain users", "CORP\\domain users", "domain users@corp.example.com", "bear grizzly", "a  b", "a -b", "a\\",
           "\\a", "a\\\\b", "S-1-5-21-1004336348-1177238915-682003330-512", "root@pam",
           // what a shell or libssh could mistake
           "a'b", "a\"b", "\"a\"", "a`b", "a;b", "a&b", "a|b", "a<b>", "a(b)", "a{b}", "$(id)", "$(user)", "$(name)",
           "${x}", "#1000", "!a", "a*b", "a?b", "[a]", "a=b", "user=b session=c", "%u", "%group", "^a", "a~",
           // letters of the world, precomposed and not
           kUmlaut, "JU\xcc\x88RGEN", "\xd0\xbc\xd0\xb5\xd0\xb4\xd0\xb2\xd0\xb5\xd0\xb4\xd1\x8c", "\xe7\x86\x8a",
           "\xf0\x9f\x90\xbb", "CORP\\" + kUmlaut, "\xef\xbf\xbd",
           // lengths
           std::string(32, 'a'), std::string(33, 'a'), std::string(64, 'a'), std::string(65, 'a'),
           std::string(104, 'a'), std::string(200, 'a')}) {
    CAPTURE(name);
    CHECK(accounts::is_name(name));
    const auto request = request_of(name);
    Record record;
    request.add_to(record);
    const auto again = session::Request::from_record(record::parse_one(record.text()));
    CHECK(again.user == name);
    const std::string line = status::Line{"connected", {}}.with("upstream_user", name).text();
    CHECK(status::parse(line.substr(0, line.size() - 1)).get("upstream_user") == name);
    CHECK(field_names(session::Asked{"id", request}.identity()) == "session user client proxy ");
    CHECK(logging::unescape(logging::field(name)) == name);
    CHECK(session::rules::expand_user("/keys/$(user)/$(name)", name) == "/keys/" + name + "/" + name);
    // As the file has it: alone, and in a list.
    CHECK(config::value::is_account(name));
    if (name.find('"') == name.npos)
      CHECK(config::value::names("x, \"" + name + "\" y") == std::vector<std::string>{"x", name, "y"});
  }
}

TEST_CASE("names: what could mislead a path, a list or a terminal is not a name") {
  for (const std::string& name : std::vector<std::string>{"",
                                                          ".",
                                                          "..",
                                                          "-",
                                                          "-a",
                                                          "-oProxyCommand=x",
                                                          " a",
                                                          "a ",
                                                          " ",
                                                          "a/b",
                                                          "CORP/bear",
                                                          "../root",
                                                          "/",
                                                          "a:b",
                                                          "a,b",
                                                          "a\nb",
                                                          "a\r",
                                                          "a\tb",
                                                          "a\x1b[2J",
                                                          std::string("a\0b", 3),
                                                          "\x7f",
                                                          "j\xfcrgen",         // ISO 8859-1
                                                          "a\xc3",             // cut off
                                                          "\xc0\xaf",          // a slash, too long
                                                          "\xe0\x80\xaf",      // and longer
                                                          "\xed\xa0\x80",      // half of a pair
                                                          "\xf4\x90\x80\x80",  // above the last
                                                          "\xf8\x88\x80\x80\x80",
                                                          "\xff",
                                                          "\xc2\x80",
                                                          "a\xc2\x9b"
                                                          "31m",
                                                          "\xc2\x9f",
                                                          "\x80",
                                                          std::string(201, 'a')}) {
    CAPTURE(name);
    CHECK_FALSE(accounts::is_name(name));
    CHECK_FALSE(config::value::is_account(name));
  }
}

TEST_CASE("names: hosts as DNS has them, an underscore included") {
  for (const std::string text :
       {"10.0.0.10", "inside1", "inside1.example.com", "Inside1.EXAMPLE.com", "my_server", "my_server.example.com",
        "_x.example.com", "a_", "xn--jrgen-kva.example.com", "1a", "10.0.0.10a", "3com.example", "a-b.c-d",
        "2001:db8::1", "[2001:db8::1]:22", "::ffff:10.0.0.1", "inside1:2222"})
    CHECK_MESSAGE(HostPort::parse(text), text);
  for (const std::string text : {"",
                                 ".",
                                 "a.",
                                 "a..b",
                                 "-a",
                                 "a-",
                                 "a b",
                                 "j\xc3\xbcrgen.example.com",
                                 "010.0.0.1",
                                 "10.1",
                                 "4711",
                                 "0x7f.1.2.3.4.",
                                 "a:",
                                 "a:0",
                                 "a:65536",
                                 "a:22:22",
                                 "[a]:22",
                                 "a@b",
                                 "a/b",
                                 "fe80::1%eth0",
                                 "2001:db8::1:22:",
                                 "[2001:db8::1",
                                 "a\\b",
                                 "a$"})
    CHECK_FALSE_MESSAGE(HostPort::parse(text), text);
}

TEST_CASE("names: what sshd says of its connection") {
  const struct {
    std::string text;
    std::string client, proxy;  // as records have them
  } good[] = {
      {"198.51.100.10 51512 198.51.100.39 33001", "198.51.100.10:51512", "198.51.100.39:33001"},
      {"198.51.100.10 1 198.51.100.39 65535", "198.51.100.10:1", "198.51.100.39:65535"},
      {"0.0.0.0 1 255.255.255.255 1", "0.0.0.0:1", "255.255.255.255:1"},
      {"127.0.0.1 51512 127.0.0.1 22", "127.0.0.1:51512", "127.0.0.1:22"},
      {"2001:db8::10 51512 2001:db8::39 33001", "[2001:db8::10]:51512", "[2001:db8::39]:33001"},
      {"2001:DB8::10 51512 2001:db8:0:0:0:0:0:39 33001", "[2001:db8::10]:51512", "[2001:db8::39]:33001"},
      {"2001:db8::10.0.0.1 5 2001:db8::39 3", "[2001:db8::a00:1]:5", "[2001:db8::39]:3"},
      {"::1 51512 ::1 22", "[::1]:51512", "[::1]:22"},
      {"::ffff:198.51.100.10 51512 ::ffff:198.51.100.39 33001", "198.51.100.10:51512", "198.51.100.39:33001"},
      {"::ffff:c633:640a 51512 198.51.100.39 33001", "198.51.100.10:51512", "198.51.100.39:33001"},
      {"::198.51.100.10 51512 ::198.51.100.39 33001", "[::198.51.100.10]:51512", "[::198.51.100.39]:33001"},
      {"fe80::1 51512 fe80::2 33001", "[fe80::1]:51512", "[fe80::2]:33001"},
      {"64:ff9b::198.51.100.10 51512 2001:db8::39 33001", "[64:ff9b::c633:640a]:51512", "[2001:db8::39]:33001"},
  };
  for (const auto& each : good) {
    CAPTURE(each.text);
    session::Request request;
    session::request::read_ssh_connection(each.text, request);
    CHECK(request.client.text() == each.client);
    CHECK(request.proxy.text() == each.proxy);
  }
  const auto code = [](const std::string& text) {
    try {
      session::Request request;
      session::request::read_ssh_connection(text, request);
    } catch (const tool::Failure& failure) {
      CHECK(failure.told().empty() == (failure.code() == tool::bad_input));
      return static_cast<int>(failure.code());
    }
    return 0;
  };
  for (const std::string& text : std::vector<std::string>{"",
                                                          " ",
                                                          "   ",
                                                          "198.51.100.10",
                                                          "198.51.100.10 51512",
                                                          "198.51.100.10 51512 198.51.100.39",
                                                          "198.51.100.10 51512 198.51.100.39 33001 ",
                                                          " 198.51.100.10 51512 198.51.100.39 33001",
                                                          "198.51.100.10  51512 198.51.100.39 33001",
                                                          "198.51.100.10\t51512 198.51.100.39 33001",
                                                          "198.51.100.10 51512 198.51.100.39 33001\n",
                                                          "198.51.100.10 51512 198.51.100.39 33001 x",
                                                          "198.51.100.10 0 198.51.100.39 33001",
                                                          "198.51.100.10 65536 198.51.100.39 33001",
                                                          "198.51.100.10 -1 198.51.100.39 33001",
                                                          "198.51.100.10 051 198.51.100.39 33001",
                                                          "198.51.100.10 0x10 198.51.100.39 33001",
                                                          "198.51.100.10 ssh 198.51.100.39 33001",
                                                          "198.51.100.10:51512 198.51.100.39:33001",
                                                          "198.51.100.10 51512 198.51.100 33001",
                                                          "198.51.100.10 51512 198.51.100.039 33001",
                                                          "198.51.100.10 51512 198.51.100.300 33001",
                                                          "localhost 51512 198.51.100.39 33001",
                                                          "bear.example.com 51512 198.51.100.39 33001",
                                                          "UNKNOWN 65535 UNKNOWN 65535",
                                                          "UNKNOWN 65535 198.51.100.39 33001",
                                                          "[2001:db8::10] 51512 [2001:db8::39] 33001",
                                                          "2001:db8::10::1 51512 2001:db8::39 33001",
                                                          ":: 51512 ::: 33001",
                                                          "unix:/run/x 1 unix:/run/x 1",
                                                          std::string(100000, '1')}) {
    CAPTURE(text);
    CHECK(code(text) == tool::bad_input);
  }
  for (const std::string text : {"fe80::1%eth0 51512 fe80::2%eth0 33001", "fe80::1%2 51512 fe80::2%2 33001",
                                 "fe80::1%wan 51512 2001:db8::39 33001", "%"})
    CHECK_MESSAGE(code(text) == tool::not_permitted, text);
}
