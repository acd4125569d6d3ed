#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "../../cmd/asp-sessions/forms.h"
#include "../../cmd/asp-sessions/ledger.h"
#include "../../cmd/asp-sessions/selector.h"
#include "base/failure.h"

namespace {

using conntrack::Flow;
using sessions::Row;
using sessions::Selector;

Endpoint at(const std::string& text) { return Endpoint::require(text, "endpoint"); }

// Session `number`, started in that second, pinned to `client` when there is one.
session::Session living(int number, const std::string& client = "") {
  session::Session session;
  session.id = "00000000-0000-4000-8000-00000000000" + std::to_string(number);
  session.user = "bear";
  session.client = at("198.51.100.10:51512");
  session.proxy = at("198.51.100.39:33001");
  session.route.rule = 1;
  session.route.upstream_user = "xfer";
  session.host = at("203.0.113.10:22");
  session.started = "2026-11-22T15:04:0" + std::to_string(number) + "Z";
  if (!client.empty()) session.flow = session::PinnedFlow{at(client), at("203.0.113.10:33001")};
  return session;
}

Flow flow(const std::string& client, std::uint64_t up, std::uint64_t down,
          const std::string& server = "203.0.113.10:33001") {
  Flow made;
  made.client = at(client);
  made.proxy = at("198.51.100.39:33001");
  made.server = at(server);
  made.to_server = {up, 100 * up};
  made.to_client = {down, 100 * down};
  made.counters = conntrack::Counters{up + down, 100 * (up + down)};
  return made;
}

std::vector<Row> ledger(std::vector<session::Session> all, const std::vector<Flow>& flows) {
  return sessions::ledger(std::move(all), flows, sessions::Clock{});
}

int code_of(const std::string& selector) {
  try {
    Selector::parse(selector);
  } catch (const tool::Failure& failure) {
    return failure.code();
  }
  return 0;
}

}  // namespace

TEST_CASE("sessions: a flow is that of the session whose record names it") {
  const auto rows =
      ledger({living(2, "198.51.100.10:5002"), living(1, "198.51.100.10:5001")},
             {flow("198.51.100.10:5001", 10, 1), flow("198.51.100.10:5002", 20, 2), flow("198.51.100.10:5003", 40, 4)});
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].session.started < rows[1].session.started);
  CHECK(rows[0].traffic.to_server.packets == 10);
  CHECK(rows[0].traffic.to_server.bytes == 1000);
  CHECK(rows[0].traffic.to_client.packets == 1);
  CHECK(rows[1].traffic.to_server.packets == 20);
  CHECK(rows[1].traffic.to_client.bytes == 200);
  CHECK(rows[0].flows == 1);
  CHECK_FALSE(rows[0].shared);
}

TEST_CASE("sessions: a flow that no record names is that of the oldest open rule") {
  session::Session free = living(2);
  free.route.src_port_filtering = false;
  const auto rows = ledger({living(3), free, living(1, "198.51.100.10:5001")},
                           {flow("198.51.100.10:5001", 10, 1), flow("198.51.100.10:5002", 20, 2)});
  CHECK(rows[0].traffic.to_server.packets == 10);
  CHECK(rows[1].traffic.to_server.packets == 20);
  CHECK(rows[2].flows == 0);
}

TEST_CASE("sessions: without source port filtering all flows of the client add up") {
  session::Session free = living(1, "198.51.100.10:5001");
  free.route.src_port_filtering = false;
  const auto rows = ledger({free}, {flow("198.51.100.10:5001", 10, 1), flow("198.51.100.10:5002", 20, 2)});
  CHECK(rows[0].flows == 2);
  CHECK(rows[0].traffic.to_server.packets == 30);
  CHECK(rows[0].traffic.to_client.packets == 3);
}

TEST_CASE("sessions: a flow of other servers, clients or proxies is nobody's") {
  Flow elsewhere = flow("198.51.100.10:5001", 1, 1);
  elsewhere.proxy = at("198.51.100.40:33001");
  const auto rows =
      ledger({living(1), living(2, "198.51.100.10:5001")},
             {elsewhere, flow("198.51.100.11:5001", 1, 1), flow("198.51.100.10:5001", 1, 1, "203.0.113.11:33001")});
  for (const auto& row : rows) CHECK(row.flows == 0);
}

TEST_CASE("sessions: rivals show their shared flow both, and it is credited once") {
  const auto rows =
      ledger({living(1, "198.51.100.10:5001"), living(2, "198.51.100.10:5001")}, {flow("198.51.100.10:5001", 10, 1)});
  for (const auto& row : rows) {
    CHECK(row.shared);
    CHECK(row.traffic.to_server.packets == 10);
  }
  CHECK(rows[0].credited.to_server.packets == 10);
  CHECK(rows[1].credited.to_server.packets == 0);
  const std::string metrics = sessions::prometheus(rows, false, {});
  CHECK(metrics.find("sallyport_session_packets{rule=\"1\",user=\"bear\",direction=\"to_server\"} 10\n") !=
        metrics.npos);
  CHECK(metrics.find("sallyport_sessions{rule=\"1\",user=\"bear\"} 2\n") != metrics.npos);
}

TEST_CASE("sessions: what the kernel does not count is not shown as 0") {
  Flow uncounted = flow("198.51.100.10:5001", 0, 0);
  uncounted.counters.reset();
  const auto rows = ledger({living(1, "198.51.100.10:5001")}, {uncounted});
  CHECK_FALSE(rows[0].traffic.counted);
  CHECK(sessions::table(rows, false)[1].ends_with(" -"));
  CHECK(sessions::json(rows).find("\"to_server\":null") != std::string::npos);
  CHECK(sessions::prometheus(rows, false, {}).find("session_bytes") == std::string::npos);
}

TEST_CASE("sessions: what a node tells of its sessions is what others read") {
  auto rows = ledger({living(1, "198.51.100.10:5001"), living(2)}, {flow("198.51.100.10:5001", 10, 1)});
  rows[0].age = 12.9;
  rows[1].traffic.counted = false;
  const std::string text = sessions::view_text(rows);
  const auto view = sessions::parse_view("dmz2", text, std::chrono::seconds(30));
  REQUIRE(view.rows.size() == 2);
  CHECK(view.sessions == 2);
  CHECK(view.rows[0].age == 42);
  CHECK(view.rows[0].traffic.to_server.packets == 10);
  CHECK(view.rows[0].traffic.to_client.bytes == 100);
  CHECK_FALSE(view.rows[1].traffic.counted);
  CHECK(view.rows[1].session.to_record().text() == rows[1].session.to_record().text());
  CHECK(sessions::table(std::vector{view})[1].starts_with("dmz2  00000000-"));
  CHECK(sessions::table(std::vector{view})[1].ends_with("  30s ago"));
  CHECK(sessions::parse_view("dmz2", sessions::view_text({}), std::chrono::seconds(0)).rows.empty());

  const auto fails = [](const std::string& bad) {
    try {
      sessions::parse_view("dmz2", bad, std::chrono::seconds(0));
    } catch (const tool::Failure& failure) {
      return failure.code() == tool::bad_input;
    }
    return false;
  };
  const std::string head = "sessions=2\n\n";
  CHECK(fails(""));
  CHECK(fails("garbage"));
  CHECK(fails("sessions=-1\n"));
  CHECK(fails("sessions=1\n\n" + text.substr(head.size())));
  CHECK(fails(text.substr(0, text.rfind("age="))));
  CHECK(fails(head + text.substr(text.find("age="))));
  CHECK(fails(text + "more=1\n\nage=1\nflows=0\nshared=false\n"));
  CHECK(fails(text.substr(0, text.rfind("age=")) + "age=1\nflows=0\nshared=false\nevil=1\n"));
  CHECK(fails(text.substr(0, text.rfind("age=")) + "age=9223372036854775807\nflows=0\nshared=false\n"));
  CHECK(fails(text + std::string(sessions::kMaxView, '\n')));
}

TEST_CASE("sessions: a node with too many sessions tells of as many as there is room for") {
  std::vector<Row> rows(5000);
  for (auto& row : rows) row.session = living(1);
  const std::string text = sessions::view_text(rows);
  CHECK(text.size() <= sessions::kMaxView);
  const auto view = sessions::parse_view("dmz2", text, std::chrono::seconds(0));
  CHECK(view.sessions == 5000);
  CHECK(view.rows.size() > 1000);
  CHECK(view.rows.size() < 5000);
}

TEST_CASE("sessions: states") {
  session::Session session = living(1);
  CHECK(sessions::state_of(session) == sessions::State::open);
  session = living(1, "198.51.100.10:5001");
  CHECK(sessions::state_of(session) == sessions::State::pinned);
  session.route.src_port_filtering = false;
  CHECK(sessions::state_of(session) == sessions::State::flow);
  session.lingering = true;
  CHECK(sessions::state_of(session) == sessions::State::lingering);
}

TEST_CASE("sessions: the age is counted from the rule, or else from the record, and never negative") {
  const sessions::Clock now{10'500'000'000, 1795359850};  // 2026-11-22T15:04:10Z
  session::Session session = living(4);
  CHECK(sessions::ledger({session}, {}, now)[0].age == doctest::Approx(6));
  session.opened = 10'000'000'000;
  CHECK(sessions::ledger({session}, {}, now)[0].age == doctest::Approx(0.5));
  session.opened = 20'000'000'000;
  CHECK(sessions::ledger({session}, {}, now)[0].age == 0);
  session.opened = 0;
  session.started = "yesterday";
  CHECK(sessions::ledger({session}, {}, now)[0].age == 0);
}

TEST_CASE("sessions: rates are of what came since, for those that were there") {
  const auto before = ledger({living(1, "198.51.100.10:5001"), living(2, "198.51.100.10:5002")},
                             {flow("198.51.100.10:5001", 10, 10), flow("198.51.100.10:5002", 10, 10)});
  auto rows =
      ledger({living(1, "198.51.100.10:5001"), living(2, "198.51.100.10:5002"), living(3, "198.51.100.10:5003")},
             {flow("198.51.100.10:5001", 30, 10), flow("198.51.100.10:5002", 5, 5), flow("198.51.100.10:5003", 1, 1)});
  sessions::add_rates(rows, before, 2);
  REQUIRE(rows[0].rate);
  CHECK(rows[0].rate->to_server == doctest::Approx(8000));
  CHECK(rows[0].rate->to_client == 0);
  REQUIRE(rows[1].rate);
  CHECK(rows[1].rate->to_server == 0);  // a flow ended, and took its count along
  CHECK_FALSE(rows[2].rate);
  auto again = before;
  sessions::add_rates(again, before, 0);
  CHECK_FALSE(again[0].rate);
}

TEST_CASE("sessions: numbers for people") {
  const struct {
    std::uint64_t bytes;
    std::string text;
  } sizes[] = {
      {0, "0B"},          {1023, "1023B"},     {1024, "1.0KiB"},    {1536, "1.5KiB"},       {102348, "99.9KiB"},
      {102400, "100KiB"}, {1048575, "1.0MiB"}, {1048576, "1.0MiB"}, {5ULL << 30, "5.0GiB"}, {~0ULL, "16384PiB"},
  };
  for (const auto& c : sizes) CHECK(sessions::human_bytes(c.bytes) == c.text);
  const struct {
    double rate;
    std::string text;
  } rates[] = {
      {0, "0bit/s"},          {999, "999bit/s"},    {1000, "1.0kbit/s"}, {12'345'678, "12.3Mbit/s"},
      {999'999, "1.0Mbit/s"}, {1e10, "10.0Gbit/s"},
  };
  for (const auto& c : rates) CHECK(sessions::human_rate(c.rate) == c.text);
  const struct {
    double seconds;
    std::string text;
  } ages[] = {
      {0, "0s"},       {59.9, "59s"},     {60, "1m00s"},    {3599, "59m59s"},
      {3600, "1h00m"}, {86399, "23h59m"}, {86400, "1d00h"}, {360000, "4d04h"},
  };
  for (const auto& c : ages) CHECK(sessions::human_age(c.seconds) == c.text);
}

TEST_CASE("sessions: selectors") {
  session::Session session = living(1, "198.51.100.10:5001");
  const struct {
    std::string text;
    bool matches;
  } cases[] = {
      {session.id, true},
      {living(2).id, false},
      {"user=bear", true},
      {"user=bea", false},
      {"user=bear ", false},
      {"user=BEAR", false},
      {"user=*", false},
      {"client=198.51.100.10", true},
      {"client=198.51.100.1", false},
      {"client=198.51.100.39", false},
      {"client=198.51.100.10:51512", true},
      {"client=198.51.100.10:5001", true},
      {"client=198.51.100.10:5002", false},
      {"client=::ffff:198.51.100.10", true},
  };
  for (const auto& c : cases) {
    CAPTURE(c.text);
    CHECK(Selector::parse(c.text).matches(session) == c.matches);
  }
  for (const std::string text : {"", "bear", "user=", "client=", "client=outside", "client=10.0.0",
                                 "client=198.51.100.10:0", "rule=1", "User=bear", "3a9fd819"}) {
    CAPTURE(text);
    CHECK(code_of(text) == tool::usage);
  }
}

TEST_CASE("sessions: labels and cells from outside cannot break the form") {
  session::Session session = living(1);
  session.user = "a\"b\\c\nd\xff";
  const auto rows = ledger({session}, {});
  const std::string metrics = sessions::prometheus(rows, true, {});
  CHECK(metrics.find("user=\"a\\\"b\\\\\\\\c\\\\x0ad\\\\xff\"") != metrics.npos);
  CHECK(metrics.find("sallyport_drained 1\n") != metrics.npos);
  for (const auto& line : sessions::table(rows, true)) {
    CHECK(std::all_of(line.begin(), line.end(), [](unsigned char c) { return c >= 0x20 && c < 0x7f; }));
  }
  CHECK(sessions::json(std::vector<Row>{}) == "[]\n");
}
