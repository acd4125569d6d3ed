#include "forms.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <set>
#include <span>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/logging.h"
#include "base/prometheus.h"

namespace sessions {
namespace {

std::string scaled(double value, double step, std::initializer_list<const char*> units) {
  auto unit = units.begin();
  // 999.95 would be printed as 1000.
  while (value >= step - 0.05 && unit + 1 != units.end()) {
    value /= step;
    ++unit;
  }
  if (unit == units.begin()) return fmt::format("{:.0f}{}", value, *unit);
  return fmt::format("{:.{}f}{}", value, value < 99.95 ? 1 : 0, *unit);
}

// --- the table ---

enum class Side { left, right };
struct Column {
  const char* title;
  Side side;
};
constexpr Column kColumns[] = {{"SESSION", Side::left},   {"USER", Side::left},       {"RULE", Side::right},
                               {"CLIENT", Side::left},    {"SERVER", Side::left},     {"STATE", Side::left},
                               {"AGE", Side::right},      {"UP", Side::right},        {"UP-PKTS", Side::right},
                               {"DOWN", Side::right},     {"DOWN-PKTS", Side::right}, {"UP-RATE", Side::right},
                               {"DOWN-RATE", Side::right}};
constexpr std::size_t kRateColumns = 2;
constexpr Column kHostColumns[] = {{"RULE", Side::right},     {"LINE", Side::right}, {"HOST", Side::left},
                                   {"SESSIONS", Side::right}, {"STATE", Side::left}, {"SINCE", Side::left},
                                   {"LEFT", Side::right},     {"WHY", Side::left}};

constexpr Column kLeaseColumns[] = {{"LEASE", Side::left}, {"USER", Side::left},        {"CLIENT", Side::left},
                                    {"PORT", Side::right}, {"DESTINATION", Side::left}, {"SSH", Side::left},
                                    {"UDP", Side::left},   {"LEFT", Side::right},       {"FLOWS", Side::right},
                                    {"UP", Side::right},   {"DOWN", Side::right}};

using Grid = std::vector<std::vector<std::string>>;

// The titles, and below them the rows of `cells`; columns are aligned.
std::vector<std::string> aligned(std::span<const Column> columns, const Grid& cells) {
  Grid grid(1);
  for (const auto& column : columns) grid[0].push_back(column.title);
  grid.insert(grid.end(), cells.begin(), cells.end());
  std::vector<std::size_t> widths(columns.size());
  for (const auto& row : grid) {
    for (std::size_t i = 0; i < columns.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::vector<std::string> lines;
  for (const auto& row : grid) {
    std::string line;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (i > 0) line += "  ";
      line += columns[i].side == Side::left ? fmt::format("{:<{}}", row[i], widths[i])
                                            : fmt::format("{:>{}}", row[i], widths[i]);
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

std::vector<std::string> cells_of(const Row& row) {
  const session::Session& session = row.session;
  const auto counted = [&](std::string text) { return row.traffic.counted ? std::move(text) : std::string("-"); };
  return {session.id,
          logging::escape(session.user),
          std::to_string(session.route.rule),
          client_end(session).text(),
          server_end(session).text(),
          name_of(state_of(session)),
          human_age(row.age),
          counted(human_bytes(row.traffic.to_server.bytes)),
          counted(std::to_string(row.traffic.to_server.packets)),
          counted(human_bytes(row.traffic.to_client.bytes)),
          counted(std::to_string(row.traffic.to_client.packets)),
          row.rate ? human_rate(row.rate->to_server) : "-",
          row.rate ? human_rate(row.rate->to_client) : "-"};
}

// Absent without a mark, and for maintenance, which has no end; 0 once its time is over.
std::optional<long> seconds_left(const HostRow& row) {
  if (!row.mark || row.mark->state == balance::State::maintenance) return std::nullopt;
  return std::max<long>(row.mark->left().count(), 0);
}

std::vector<std::string> cells_of(const HostRow& row) {
  const auto left = seconds_left(row);
  const auto number = [](auto value) { return value == 0 ? std::string("-") : std::to_string(value); };
  return {number(row.rule),
          number(row.line),
          logging::escape(row.name()),
          row.user.empty() ? std::to_string(row.sessions) : "-",
          row.state,
          row.mark ? logging::escape(row.mark->since) : "-",
          left ? human_age(static_cast<double>(*left)) : "-",
          row.mark ? logging::escape(row.mark->reason) : "-"};
}

std::vector<std::string> cells_of(const LeaseRow& row) {
  const lease::Lease& lease = row.lease;
  const PortRange& udp = lease.destination_udp_ports;
  const auto counted = [&](std::uint64_t bytes) { return row.traffic.counted ? human_bytes(bytes) : std::string("-"); };
  return {lease.id,
          lease.user.empty() ? "-" : logging::escape(lease.user),
          lease.client.text(),
          std::to_string(lease.ssh_port),
          logging::escape(lease.destination),
          Endpoint{lease.address, lease.destination_ssh_port}.text(),
          udp.low == udp.high ? std::to_string(udp.low) : udp.text(),
          human_age(static_cast<double>(row.left.count())),
          std::to_string(row.flows),
          counted(row.traffic.to_server.bytes),
          counted(row.traffic.to_client.bytes)};
}

// --- JSON ---

using Json = nlohmann::ordered_json;

Json value_of(const std::string& name, const std::string& value) {
  static const std::set<std::string> kNumbers{"rule", "proxy_port", "udp_port", "udp_linger",
                                              "pid",  "holder",     "opened"};
  if (kNumbers.contains(name)) return std::stoll(value);
  if (name == "src_port_filtering") return value == "true";
  return value;
}

Json counters_of(const conntrack::Counters& counters, bool counted) {
  if (!counted) return nullptr;
  return {{"packets", counters.packets}, {"bytes", counters.bytes}};
}

Json object_of(const Row& row) {
  const session::Session& session = row.session;
  Json object;
  // Taken from the record, so that fields that are added to it appear here as well.
  const Record record = session.to_record();
  for (const auto& [name, value] : record.fields()) {
    if (name != "flow" && name != "group" && name != "state") object[name] = value_of(name, value);
  }
  object["flow"] =
      session.flow ? Json{{"client", session.flow->client.text()}, {"server", session.flow->server.text()}} : Json();
  object["group"] = session.group.empty() ? Json() : Json(session.group);
  object["state"] = name_of(state_of(session));
  object["age_seconds"] = std::round(row.age * 1000) / 1000;
  object["flows"] = row.flows;
  object["shared"] = row.shared;
  object["to_server"] = counters_of(row.traffic.to_server, row.traffic.counted);
  object["to_client"] = counters_of(row.traffic.to_client, row.traffic.counted);
  return object;
}

Json object_of(const HostRow& row) {
  const auto& mark = row.mark;
  const auto said = [&](const std::string& text) { return mark ? Json(text) : Json(); };
  const auto left = seconds_left(row);
  Json object;
  object["rule"] = row.rule == 0 ? Json() : Json(row.rule);
  object["line"] = row.rule == 0 ? Json() : Json(row.line);
  object["host"] = row.host.text();
  object["account"] = row.user.empty() ? Json() : Json{{"user", row.user}, {"keyfile", row.keyfile}};
  object["sessions"] = row.user.empty() ? Json(row.sessions) : Json();
  object["state"] = row.state;
  object["since"] = said(mark ? mark->since : "");
  object["left_seconds"] = left ? Json(*left) : Json();
  object["reason"] = said(mark ? mark->reason : "");
  object["by"] = said(mark ? mark->by : "");
  return object;
}

Json object_of(const LeaseRow& row) {
  static const std::set<std::string> kLeaseNumbers{
      "ssh_port", "destination_ssh_port", "renew_seconds", "lifetime", "deadline", "packets"};
  Json object;
  const Record record = row.lease.to_record();
  for (const auto& [name, value] : record.fields()) {
    if (name != "packets" && name != "ending")
      object[name] = kLeaseNumbers.contains(name) ? Json(std::stoll(value)) : Json(value);
  }
  object["left_seconds"] = row.left.count();
  object["flows"] = row.flows;
  object["to_server"] = counters_of(row.traffic.to_server, row.traffic.counted);
  object["to_client"] = counters_of(row.traffic.to_client, row.traffic.counted);
  return object;
}

struct NodeRow {
  const View& view;
  const Row& row;
};
Json object_of(const NodeRow& row) {
  Json object;
  object["node"] = row.view.node;
  object["seen_seconds"] = row.view.seen.value_or(std::chrono::seconds(0)).count();
  object.update(object_of(row.row));
  return object;
}

template <typename Rows>
std::string array_of(const Rows& rows) {
  std::string text = "[";
  for (const auto& row : rows) {
    text += text.size() > 1 ? ",\n " : "\n ";
    text += object_of(row).dump(-1, ' ', true, Json::error_handler_t::replace);
  }
  return text + (rows.empty() ? "]\n" : "\n]\n");
}

// --- Prometheus ---

using ::prometheus::label_value;

void head(std::string& text, const char* name, const char* help) {
  fmt::format_to(std::back_inserter(text), "# HELP {0} {1}\n# TYPE {0} gauge\n", name, help);
}

struct Group {
  std::size_t sessions = 0;
  Traffic traffic;
};

}  // namespace

std::string human_bytes(std::uint64_t bytes) {
  return scaled(static_cast<double>(bytes), 1024, {"B", "KiB", "MiB", "GiB", "TiB", "PiB"});
}

std::string human_rate(double bits_per_second) {
  return scaled(bits_per_second, 1000, {"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"});
}

std::string human_age(double seconds) {
  const auto whole = static_cast<long>(seconds);
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  if (whole < 86400) return fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
  return fmt::format("{}d{:02}h", whole / 86400, whole / 3600 % 24);
}

std::vector<std::string> table(const std::vector<Row>& rows, bool watching) {
  const std::span columns(kColumns, std::size(kColumns) - (watching ? 0 : kRateColumns));
  Grid grid;
  for (const auto& row : rows) grid.push_back(cells_of(row));
  return aligned(columns, grid);
}

// The last column has any length: no spaces follow it.
std::vector<std::string> table(const std::vector<HostRow>& rows) {
  Grid grid;
  for (const auto& row : rows) grid.push_back(cells_of(row));
  auto lines = aligned(kHostColumns, grid);
  for (auto& line : lines) line.erase(line.find_last_not_of(' ') + 1);
  return lines;
}

std::vector<std::string> table(const std::vector<LeaseRow>& rows) {
  Grid grid;
  for (const auto& row : rows) grid.push_back(cells_of(row));
  return aligned(kLeaseColumns, grid);
}

std::vector<std::string> table(const std::vector<View>& views) {
  constexpr std::size_t kPlainColumns = std::size(kColumns) - kRateColumns;
  std::vector<Column> columns{{"NODE", Side::left}};
  columns.insert(columns.end(), kColumns, kColumns + kPlainColumns);
  columns.push_back({"SEEN", Side::right});
  Grid grid;
  for (const auto& view : views) {
    for (const auto& row : view.rows) {
      auto cells = cells_of(row);
      cells.resize(kPlainColumns);
      cells.insert(cells.begin(), view.node);
      cells.push_back(view.seen ? human_age(static_cast<double>(view.seen->count())) + " ago" : "now");
      grid.push_back(std::move(cells));
    }
  }
  return aligned(columns, grid);
}

std::string json(const std::vector<View>& views) {
  std::vector<NodeRow> rows;
  for (const auto& view : views) {
    for (const auto& row : view.rows) rows.push_back({view, row});
  }
  return array_of(rows);
}

std::string json(const std::vector<LeaseRow>& rows) { return array_of(rows); }
std::string json(const std::vector<Row>& rows) { return array_of(rows); }
std::string json(const std::vector<HostRow>& rows) { return array_of(rows); }

std::string prometheus(const std::vector<Row>& rows, bool drained, const std::vector<HostRow>& hosts) {
  std::map<std::string, Group> groups;  // by labels
  std::map<State, std::size_t> states;
  bool counted = true;
  for (const auto& row : rows) {
    Group& group =
        groups[fmt::format("rule=\"{}\",user=\"{}\"", row.session.route.rule, label_value(row.session.user))];
    ++group.sessions;
    ++states[state_of(row.session)];
    const auto add = [](conntrack::Counters& sum, const conntrack::Counters& more) {
      sum.packets += more.packets;
      sum.bytes += more.bytes;
    };
    add(group.traffic.to_server, row.credited.to_server);
    add(group.traffic.to_client, row.credited.to_client);
    counted = counted && row.credited.counted;
  }
  std::string text;
  const auto into = std::back_inserter(text);
  head(text, "sallyport_drained", "1 while no new sessions are taken, else 0.");
  fmt::format_to(into, "sallyport_drained {}\n", drained ? 1 : 0);
  head(text, "sallyport_sessions", "Living sessions.");
  for (const auto& [labels, group] : groups)
    fmt::format_to(into, "sallyport_sessions{{{}}} {}\n", labels, group.sessions);
  head(text, "sallyport_sessions_by_state", "Living sessions by the state of their pinhole.");
  for (const auto state : kStates)
    fmt::format_to(into, "sallyport_sessions_by_state{{state=\"{}\"}} {}\n", name_of(state), states[state]);
  const auto each_host = [&](const char* name, const char* help, const auto& value) {
    if (!hosts.empty()) head(text, name, help);
    for (const auto& row : hosts) {
      if (row.rule != 0 && row.user.empty())
        fmt::format_to(into, "{}{{rule=\"{}\",host=\"{}\"}} {}\n", name, row.rule, label_value(row.host.text()),
                       value(row));
    }
  };
  each_host("sallyport_host_sessions", "Living sessions on each internal server.",
            [](const HostRow& row) { return row.sessions; });
  each_host("sallyport_host_in_service", "1 while new sessions go there, else 0.",
            [](const HostRow& row) { return row.in_service() ? 1 : 0; });
  if (!counted) return text;
  const auto each_way = [&](const char* name, const char* help, std::uint64_t conntrack::Counters::*what) {
    head(text, name, help);
    for (const auto& [labels, group] : groups) {
      fmt::format_to(into, "{}{{{},direction=\"to_server\"}} {}\n", name, labels, group.traffic.to_server.*what);
      fmt::format_to(into, "{}{{{},direction=\"to_client\"}} {}\n", name, labels, group.traffic.to_client.*what);
    }
  };
  each_way("sallyport_session_bytes", "Bytes of IP packets that the flows of living sessions have carried.",
           &conntrack::Counters::bytes);
  each_way("sallyport_session_packets", "Packets that the flows of living sessions have carried.",
           &conntrack::Counters::packets);
  return text;
}

}  // namespace sessions
