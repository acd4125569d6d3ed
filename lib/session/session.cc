#include "session/session.h"

#include <algorithm>
#include <limits>

#include <fmt/core.h>

#include "base/decimal.h"
#include "base/failure.h"
#include "base/uuid.h"

namespace session {
namespace {

[[noreturn]] void malformed_session(std::string_view name, std::string_view value) {
  throw tool::Failure(tool::bad_input, fmt::format("session: {}: '{}' is not valid", name, value));
}

long number(const Record& record, std::string_view name, long high) {
  const std::string text = record.require(name);
  if (const auto value = parse_decimal(text, 0, high)) return *value;
  malformed_session(name, text);
}

PinnedFlow flow_from(const std::string& text) {
  const auto space = text.find(' ');
  if (space == text.npos) malformed_session("flow", text);
  return {Endpoint::require(text.substr(0, space), "flow"), Endpoint::require(text.substr(space + 1), "flow")};
}

void check(const Session& session) {
  const bool v4 = session.client.ip.is_v4();
  if (session.proxy.ip.is_v4() != v4 || session.host.ip.is_v4() != v4) {
    throw tool::Failure(tool::bad_input, "session: client, proxy and host mix IPv4 and IPv6");
  }
  const auto& bind = session.route.bind_source_address;
  if (bind && bind->is_v4() != v4) {
    throw tool::Failure(tool::bad_input, "session: client and bind_source_address mix IPv4 and IPv6");
  }
  if (session.flow && session.flow->client.ip != session.client.ip)
    malformed_session("flow", session.flow->client.text());
}

}  // namespace

Session Session::from_record(const Record& record) {
  record.check_names({"session",
                      "user",
                      "client",
                      "proxy",
                      "rule",
                      "upstream_user",
                      "host",
                      "proxy_port",
                      "udp_port",
                      "udp_port_range",
                      "src_port_filtering",
                      "udp_linger",
                      "bind_source_address",
                      "forwarding",
                      "pid",
                      "holder",
                      "started",
                      "opened",
                      "flow",
                      "group",
                      "state"});
  Session parsed;
  parsed.id = record.require("session");
  if (!uuid::is_valid(parsed.id)) malformed_session("session", parsed.id);
  parsed.user = record.require("user");
  parsed.client = Endpoint::require(record.require("client"), "client");
  parsed.proxy = Endpoint::require(record.require("proxy"), "proxy");
  parsed.route.rule = static_cast<int>(number(record, "rule", 1000000));
  parsed.route.upstream_user = record.require("upstream_user");
  parsed.host = Endpoint::require(record.require("host"), "host");
  parsed.route.proxy_port = static_cast<Port>(number(record, "proxy_port", 65535));
  if (parsed.ports_kept()) {
    const std::string text = record.require("udp_port_range");
    const auto range = PortRange::parse(text);
    if (!range) malformed_session("udp_port_range", text);
    parsed.route.udp_port_range = *range;
    parsed.route.udp_port = 0;
  } else {
    parsed.route.udp_port = static_cast<Port>(number(record, "udp_port", 65535));
    if (parsed.route.udp_port == 0) malformed_session("udp_port", "0");
  }
  const std::string filtering = record.require("src_port_filtering");
  if (filtering != "true" && filtering != "false") malformed_session("src_port_filtering", filtering);
  parsed.route.src_port_filtering = filtering == "true";
  if (record.get("udp_linger")) parsed.route.udp_linger = std::chrono::seconds(number(record, "udp_linger", 86400));
  if (const auto bind = record.get("bind_source_address")) {
    parsed.route.bind_source_address = IpAddress::parse(*bind);
    if (!parsed.route.bind_source_address) malformed_session("bind_source_address", *bind);
  }
  if (const auto forwarding = record.get("forwarding")) {
    if (*forwarding != "nftables") malformed_session("forwarding", *forwarding);
    parsed.route.forwarding = config::Forwarding::nftables;
  }
  parsed.pid = static_cast<pid_t>(number(record, "pid", 1L << 22));
  if (record.get("holder")) parsed.holder = static_cast<pid_t>(number(record, "holder", 1L << 22));
  parsed.started = record.require("started");
  if (record.get("opened")) parsed.opened = number(record, "opened", std::numeric_limits<long>::max());
  if (const auto group = record.get("group")) {
    if (!uuid::is_valid(*group)) malformed_session("group", *group);
    parsed.group = *group;
  }
  if (const auto state = record.get("state")) {
    if (*state != "lingering") malformed_session("state", *state);
    parsed.lingering = true;
  }
  if (const auto flow = record.get("flow")) parsed.flow = flow_from(*flow);
  check(parsed);
  return parsed;
}

Record Session::to_record() const {
  // Each field is listed by name: a new field of Route does not compile until somebody has decided whether it
  // belongs on record.
  const auto& [rule, upstream_user, keyfile, hosts, proxy_port, udp_port, udp_port_range, src_port_filtering,
               udp_linger, connect_timeout, known_hosts, bind_source_address, forwarding, faulty_interval,
               upstream_reuse, old_algorithms, keyfile_of_user] = route;
  Record record;
  record.add("session", id);
  record.add("user", user);
  record.add("client", client.text());
  record.add("proxy", proxy.text());
  record.add("rule", std::to_string(rule));
  record.add("upstream_user", upstream_user);
  record.add("host", host.text());
  record.add("proxy_port", std::to_string(proxy_port));
  if (ports_kept()) record.add("udp_port_range", udp_port_range.text());
  else record.add("udp_port", std::to_string(udp_port));
  record.add("src_port_filtering", src_port_filtering ? "true" : "false");
  if (udp_linger.count() > 0) record.add("udp_linger", std::to_string(udp_linger.count()));
  if (bind_source_address) record.add("bind_source_address", bind_source_address->text());
  if (forwarding == config::Forwarding::nftables) record.add("forwarding", "nftables");
  record.add("pid", std::to_string(pid));
  if (holder > 0) record.add("holder", std::to_string(holder));
  record.add("started", started);
  if (opened > 0) record.add("opened", std::to_string(opened));
  if (flow) record.add("flow", flow->client.text() + " " + flow->server.text());
  if (!group.empty()) record.add("group", group);
  if (lingering) record.add("state", "lingering");
  return record;
}

bool Session::is_rival_of(const Session& other) const {
  const auto group_of = [](const Session& session) { return session.group.empty() ? session.id : session.group; };
  return id != other.id && group_of(*this) == group_of(other) && session::have_same_ends(*this, other);
}

bool have_same_ends(const Session& one, const Session& other) {
  return one.client.ip == other.client.ip && one.proxy.ip == other.proxy.ip && one.host == other.host;
}

bool is_candidate(const Session& session) { return !session.flow && session.opened > 0; }

std::string find_group(const Session& session, const std::vector<Session>& living) {
  for (const auto& other : living) {
    if (other.id == session.id || !is_candidate(other) || !have_same_ends(session, other)) continue;
    return other.group.empty() ? other.id : other.group;
  }
  return {};
}

}  // namespace session
