#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "balance/marks.h"
#include "balance/statement.h"
#include "base/record.h"

namespace {

using balance::Mark;
using balance::State;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kNow{1000};
constexpr char kName[] = "faulty-10.0.0.10:22";
constexpr char kText[] =
    "host=10.0.0.10:22\nstate=faulty\nsince=2026-11-22T15:04:05Z\nreason=connect: refused\nby=alice\nseconds=120\n"
    "node=dmz2\n\n";

Mark faulty() {
  return {{"10.0.0.10", 22},  "",     "", State::faulty, "2026-11-22T15:04:05Z", kNow + seconds(120),
          "connect: refused", "alice"};
}

// The same text with another value.
std::string with(const std::string& name, const std::string& value) {
  Record record = record::parse_one(kText);
  record.set(name, value);
  return record.text();
}

std::string without(const std::string& name) {
  const Record whole = record::parse_one(kText);
  Record rest;
  for (const auto& [key, value] : whole.fields()) {
    if (key != name) rest.add(key, value);
  }
  return rest.text();
}

// How long a mark lasts that is read from `text`; -1: it is none.
long lasts(const std::string& text, milliseconds left) {
  const auto said = balance::statement::parse(kName, text, left, kNow);
  return said && said->mark ? (said->mark->until - kNow).count() : -1;
}

bool is_statement(const std::string& name, const std::string& text) {
  return balance::statement::parse(name, text, milliseconds(125000), kNow).has_value();
}

}  // namespace

TEST_CASE("statement: a mark is told without its time, and read as it was") {
  CHECK(balance::statement::marked(faulty(), "dmz2", kNow) == kText);
  const auto said = balance::statement::parse(kName, kText, milliseconds(125000), kNow);
  REQUIRE(said);
  REQUIRE(said->mark);
  CHECK(balance::to_record(*said->mark).text() == balance::to_record(faulty()).text());
  CHECK(said->node == "dmz2");
  CHECK(said->healed.empty());
  CHECK(balance::statement::id_of(*said->mark) == balance::statement::id_of(faulty()));
}

TEST_CASE("statement: it is kept a while beyond its time, and maintenance until it is healed") {
  Mark mark = faulty();
  CHECK(balance::statement::kept(mark, kNow) == seconds(125));
  mark.until = kNow - seconds(1);
  CHECK(balance::statement::kept(mark, kNow) == seconds(5));
  CHECK(record::parse_one(balance::statement::marked(mark, "dmz2", kNow)).get("seconds") == "0");
  mark.until = kNow + balance::statement::kLongest + seconds(1);
  CHECK(record::parse_one(balance::statement::marked(mark, "dmz2", kNow)).get("seconds") == "2592000");
  mark.state = State::maintenance;
  CHECK_FALSE(balance::statement::kept(mark, kNow));
  CHECK(record::parse_one(balance::statement::marked(mark, "dmz2", kNow)).get("seconds") == "0");
}

TEST_CASE("statement: a mark lasts as long as Redis keeps it, less that while, and no longer than was said") {
  for (const auto& [left, rest] : {std::pair<long, long>{0, 0},
                                   {5000, 0},
                                   {5001, 1},
                                   {6000, 1},
                                   {6001, 2},
                                   {124000, 119},
                                   {125000, 120},
                                   {125001, 120},
                                   {5184000000, 120}}) {
    CAPTURE(left);
    CHECK(lasts(kText, milliseconds(left)) == rest);
  }
  CHECK(lasts(with("seconds", "2592000"), milliseconds(5184000000)) == 2592000);
  CHECK(lasts(with("seconds", "2592001"), milliseconds(5184000000)) == -1);
}

TEST_CASE("statement: what was healed is told by its id") {
  const std::string text = balance::statement::healed("85944171f73967e8", "dmz2");
  CHECK(text == "healed=85944171f73967e8\nnode=dmz2\n\n");
  const auto said = balance::statement::parse(kName, text, milliseconds(1), kNow);
  REQUIRE(said);
  CHECK(said->healed == "85944171f73967e8");
  CHECK_FALSE(said->mark);
}

TEST_CASE("statement: a marking is another one when anything of it differs but its end") {
  Mark other = faulty();
  other.until += seconds(1);
  CHECK(balance::statement::id_of(other) == balance::statement::id_of(faulty()));
  std::vector<Mark> others(5, faulty());
  others[0].host.port = 23;
  others[1].since = "2026-11-22T15:04:06Z";
  others[2].by = "bob";
  others[3].reason = "";
  others[4].state = State::maintenance;
  for (const auto& each : others) CHECK(balance::statement::id_of(each) != balance::statement::id_of(faulty()));
}

TEST_CASE("statement: what says something else, or of another mark, is none") {
  CHECK(is_statement(kName, kText));
  CHECK(is_statement(kName, without("node")));
  for (const std::string name : {"host", "state", "since", "reason", "by", "seconds"}) {
    CAPTURE(name);
    CHECK_FALSE(is_statement(kName, without(name)));
  }
  for (const auto& [name, value] : {std::pair<std::string, std::string>{"host", "10.0.0.11:22"},
                                    {"host", "10.0.0.10:23"},
                                    {"user", "xfer"},
                                    {"state", "suspect"},
                                    {"state", "maintenance"},
                                    {"state", ""},
                                    {"seconds", "-1"},
                                    {"seconds", ""},
                                    {"seconds", "1.5"},
                                    {"seconds", "99999999999999999999"}}) {
    CAPTURE(name + "=" + value);
    CHECK_FALSE(is_statement(kName, with(name, value)));
  }
  for (const std::string text : {"", "x", "host=\n", "\x1b=1\n", "host=10.0.0.10:22\n\nhost=10.0.0.10:22\n"}) {
    CAPTURE(text);
    CHECK_FALSE(is_statement(kName, text));
  }
  CHECK_FALSE(is_statement("suspect-10.0.0.10:22", with("state", "suspect")));
}

TEST_CASE("statement: a name is that of a mark that is shared, and can be that of a file") {
  for (const std::string& name :
       {std::string(kName), std::string("maintenance-x"), std::string("faulty-"), "faulty-" + std::string(248, 'x')}) {
    CHECK(balance::statement::is_name(name));
  }
  for (const std::string& name :
       {std::string(), std::string("suspect-x"), std::string("../faulty-x"), std::string("faulty-a/b"),
        std::string("faulty"), std::string("faulty-\0x", 9), "faulty-" + std::string(249, 'x')}) {
    CAPTURE(name);
    CHECK_FALSE(balance::statement::is_name(name));
  }
}
