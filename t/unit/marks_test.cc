#include <doctest/doctest.h>

#include <chrono>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "balance/marks.h"
#include "base/failure.h"
#include "base/record.h"

namespace {

using balance::Mark;
using balance::State;

constexpr char kText[] =
    "host=10.0.0.10:22\nuser=xfer\nkeyfile=/key\nstate=faulty\nsince=2026-11-22T15:04:05Z\nuntil=1180\n"
    "reason=connect: refused\nby=3a9fd819-59c3-42bc-b0a2-d26304a1eb84\n\n";

Mark good() { return balance::from_record(record::parse_one(kText)); }

int code_of(const Record& record) {
  try {
    balance::from_record(record);
  } catch (const tool::Failure& failure) {
    return failure.code();
  }
  return 0;
}

int code_with(const std::string& name, const std::string& value) {
  Record changed = record::parse_one(kText);
  changed.set(name, value);
  return code_of(changed);
}

}  // namespace

TEST_CASE("marks: a mark is on record as it was") {
  const Mark mark = good();
  CHECK(mark.host.text() == "10.0.0.10:22");
  CHECK(mark.user == "xfer");
  CHECK(mark.keyfile == "/key");
  CHECK(mark.state == State::faulty);
  CHECK(mark.until.count() == 1180);
  CHECK(balance::to_record(mark).text() == kText);
  Mark of_all = mark;
  of_all.user.clear();
  of_all.keyfile.clear();
  const auto record = balance::to_record(of_all);
  CHECK_FALSE(record.get("user"));
  CHECK_FALSE(record.get("keyfile"));
  CHECK(balance::from_record(record).target() == "10.0.0.10:22");
  CHECK(mark.target() == "xfer@10.0.0.10:22");
}

TEST_CASE("marks: a record that cannot be is refused") {
  const Record whole = record::parse_one(kText);
  for (const std::string name : {"host", "state", "since", "until", "reason", "by"}) {
    CAPTURE(name);
    Record rest;
    for (const auto& [key, value] : whole.fields()) {
      if (key != name) rest.add(key, value);
    }
    CHECK(code_of(rest) == tool::bad_input);
  }
  const std::string most = std::to_string(std::numeric_limits<int>::max());
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{{"host", ""},
                                                                                    {"host", "a b:22"},
                                                                                    {"host", "a:65536"},
                                                                                    {"state", "healed"},
                                                                                    {"state", "Faulty"},
                                                                                    {"until", "-1"},
                                                                                    {"until", ""},
                                                                                    {"until", "1.5"},
                                                                                    {"until", "2147483648"}}) {
    CAPTURE(name + "=" + value);
    CHECK(code_with(name, value) == tool::bad_input);
  }
  for (const std::string state : {"faulty", "suspect", "maintenance"}) CHECK(code_with("state", state) == 0);
  CHECK(code_with("until", "0") == 0);
  CHECK(code_with("until", most) == 0);
}

TEST_CASE("marks: there is one file for each state, host, account and key") {
  const HostPort host{"10.0.0.10", 22};
  CHECK(balance::mark_name(State::maintenance, host) == "maintenance-10.0.0.10:22");
  CHECK(balance::mark_name(State::faulty, host) == "faulty-10.0.0.10:22");
  CHECK(balance::mark_name(State::suspect, host) == "suspect-10.0.0.10:22");
  CHECK(balance::mark_name(State::faulty, {"10.0.0.10", 2222}) == "faulty-10.0.0.10:2222");
  const std::string of_xfer = balance::mark_name(State::faulty, host, "xfer", "/key");
  CHECK(of_xfer == "faulty-xfer@10.0.0.10:22-" + balance::digest("/key"));
  CHECK(of_xfer != balance::mark_name(State::faulty, host, "xfer", "/other"));
  CHECK(balance::mark_name(good()) == of_xfer);
}

TEST_CASE("marks: what is not a name of a file, or too long for one, has a digest instead") {
  for (const auto& name : {std::string("10.0.0.10:22"), std::string("a..b"), std::string(200, 'a')})
    CHECK(balance::file_name(name) == name);
  for (const auto& name :
       {std::string("a/b"), std::string("/"), std::string("."), std::string(".."), std::string(201, 'a')}) {
    CAPTURE(name);
    CHECK(balance::file_name(name) == balance::digest(name));
  }
}

// http://www.isthe.com/chongo/tech/comp/fnv/, test vectors
TEST_CASE("marks: a digest is FNV-1a of 64 bits") {
  CHECK(balance::digest("") == "cbf29ce484222325");
  CHECK(balance::digest("a") == "af63dc4c8601ec8c");
  CHECK(balance::digest("foobar") == "85944171f73967e8");
}
