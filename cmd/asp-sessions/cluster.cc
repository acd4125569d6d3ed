#include "cluster.h"

#include <algorithm>
#include <limits>

#include <fmt/core.h>

#include "base/decimal.h"
#include "base/failure.h"
#include "base/record.h"
#include "cluster/redis.h"

namespace sessions {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kRedisPatience{3000};
constexpr long kLongestAge = 1'000'000'000;  // seconds: thirty years
constexpr milliseconds kListKeptMs = kListKept;

std::string key_of(const std::string& node) { return "sallyport:sessions:" + node; }

Record counted_record(const Row& row) {
  Record record;
  record.add("age", std::to_string(static_cast<long>(std::max(row.age, 0.0))));
  record.add("flows", std::to_string(row.flows));
  record.add("shared", row.shared ? "true" : "false");
  if (!row.traffic.counted) return record;
  record.add("up_packets", std::to_string(row.traffic.to_server.packets));
  record.add("up_bytes", std::to_string(row.traffic.to_server.bytes));
  record.add("down_packets", std::to_string(row.traffic.to_client.packets));
  record.add("down_bytes", std::to_string(row.traffic.to_client.bytes));
  return record;
}

unsigned long number_in(const Record& record, const char* name, long high = std::numeric_limits<long>::max()) {
  const auto number = parse_decimal(record.require(name), 0, high);
  if (!number) throw tool::Failure(tool::bad_input, fmt::format("{} is not a number", name));
  return static_cast<unsigned long>(*number);
}

Row row_of(const Record& session, const Record& counted) {
  counted.check_names({"age", "flows", "shared", "up_packets", "up_bytes", "down_packets", "down_bytes"});
  Row row;
  row.session = session::Session::from_record(session);
  row.age = static_cast<double>(number_in(counted, "age", kLongestAge));
  row.flows = number_in(counted, "flows");
  row.shared = counted.require("shared") == "true";
  row.traffic.counted = counted.get("up_packets").has_value();
  if (!row.traffic.counted) return row;
  row.traffic.to_server = {number_in(counted, "up_packets"), number_in(counted, "up_bytes")};
  row.traffic.to_client = {number_in(counted, "down_packets"), number_in(counted, "down_bytes")};
  return row;
}

// `left` is how long Redis will keep it, by a clock that may have jumped.
seconds age_of(long long left) {
  return std::chrono::duration_cast<seconds>(
      kListKeptMs - milliseconds(std::clamp(left, 0LL, static_cast<long long>(kListKeptMs.count()))));
}

}  // namespace

std::string view_text(const std::vector<Row>& rows) {
  Record head;
  head.add("sessions", std::to_string(rows.size()));
  std::string text = head.text();
  for (const auto& row : rows) {
    const std::string more = row.session.to_record().text() + counted_record(row).text();
    if (text.size() + more.size() > kMaxView) break;
    text += more;
  }
  return text;
}

View parse_view(const std::string& node, std::string_view text, seconds seen) {
  if (text.size() > kMaxView) throw tool::Failure(tool::bad_input, "its list is too long");
  const auto records = record::parse_all(text);
  if (records.size() % 2 != 1) throw tool::Failure(tool::bad_input, "its list is incomplete");
  View view{node, seen, {}, number_in(records[0], "sessions")};
  for (std::size_t i = 1; i < records.size(); i += 2) {
    view.rows.push_back(row_of(records[i], records[i + 1]));
    view.rows.back().age += static_cast<double>(seen.count());
  }
  if (view.rows.size() > view.sessions) throw tool::Failure(tool::bad_input, "its list is longer than it says");
  return view;
}

void require_shared(const config::Cluster& cluster) {
  if (!cluster.enabled || cluster.redis.empty())
    throw tool::Failure(tool::config, "there is no <cluster> with <redis> in aspera.conf: this host is alone");
}

void publish(const config::Cluster& cluster, const std::string& node, const std::vector<Row>& rows) {
  redis::Client(cluster, kRedisPatience)
      .ask({"SET", key_of(node), view_text(rows), "PX", std::to_string(kListKeptMs.count())});
}

ClusterView views_of_others(const config::Cluster& cluster, const std::string& node) {
  std::vector<std::string> others;
  for (const auto& each : cluster.nodes) {
    if (each.name != node) others.push_back(each.name);
  }
  ClusterView found;
  try {
    redis::Client client(cluster, kRedisPatience);
    for (const auto& other : others) {
      const auto answers = client.ask_all({{"GET", key_of(other)}, {"PTTL", key_of(other)}});
      if (answers[0].is_nil()) {
        found.missing.push_back(fmt::format("{}: it has reported nothing for {} s", other, kListKept.count()));
        continue;
      }
      try {
        found.views.push_back(parse_view(other, answers[0].text(), age_of(answers[1].integer())));
      } catch (const tool::Failure& failure) {
        if (failure.code() != tool::bad_input) throw;
        found.missing.push_back(fmt::format("{}: {}", other, failure.what()));
      }
    }
  } catch (const tool::Failure& failure) {
    found.views.clear();
    found.missing = {fmt::format("the other nodes: {}", failure.what())};
  }
  return found;
}

}  // namespace sessions
