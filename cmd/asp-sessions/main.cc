// asp-sessions: shows the living sessions, and ends them; asp-sessions(8).
#include <getopt.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "balance/balance.h"
#include "base/boot_clock.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/options.h"
#include "base/paths.h"
#include "base/prometheus.h"
#include "base/status.h"
#include "base/tool.h"
#include "cluster.h"
#include "cluster/node_name.h"
#include "config/config.h"
#include "forms.h"
#include "hosts.h"
#include "kernel/connmark.h"
#include "kernel/conntrack.h"
#include "lease/flows.h"
#include "lease/open.h"
#include "lease/reap.h"
#include "leases.h"
#include "ledger.h"
#include "selector.h"
#include "session/ending.h"
#include "session/spool.h"
#include "watch.h"

namespace {

using sessions::Selector;

constexpr char kUsage[] =
    "asp-sessions [--json | --prometheus | --watch [SECONDS] | --kill] [UUID | user=NAME | client=ADDRESS]\n"
    "asp-sessions --cluster [--json] [UUID | user=NAME | client=ADDRESS]\n"
    "asp-sessions --hosts [--json]\n"
    "asp-sessions --leases [--json]\n"
    "asp-sessions --publish";

enum class Mode { table, json, prometheus, watch, kill, publish };

struct Asked {
  Mode mode = Mode::table;
  std::chrono::milliseconds interval{2000};
  std::optional<Selector> selector;
  bool hosts = false;    // in place of sessions
  bool leases = false;   // likewise
  bool cluster = false;  // of all nodes
};

std::optional<std::chrono::milliseconds> parse_seconds(const std::string& text) {
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds, std::chars_format::fixed);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  if (!whole || !(seconds >= 0.1 && seconds <= 3600)) return std::nullopt;
  return std::chrono::milliseconds(static_cast<long>(seconds * 1000));
}

Asked parse(int argc, char** argv) {
  static const option kOptions[] = {{"json", no_argument, nullptr, 'j'},
                                    {"prometheus", no_argument, nullptr, 'p'},
                                    {"watch", optional_argument, nullptr, 'w'},
                                    {"kill", no_argument, nullptr, 'k'},
                                    {"hosts", no_argument, nullptr, 'h'},
                                    {"leases", no_argument, nullptr, 'l'},
                                    {"cluster", no_argument, nullptr, 'c'},
                                    {"publish", no_argument, nullptr, 'u'},
                                    {nullptr, 0, nullptr, 0}};
  const auto wrong = [](const std::string& why) { options::fail_usage(kUsage, why); };
  Asked asked;
  std::string seconds;
  ::opterr = 0;
  for (int letter; (letter = ::getopt_long(argc, argv, "", kOptions, nullptr)) != -1;) {
    if (letter == 'h' || letter == 'l') {
      (letter == 'h' ? asked.hosts : asked.leases) = true;
      continue;
    }
    if (letter == 'c') {
      asked.cluster = true;
      continue;
    }
    const Mode mode = letter == 'j'   ? Mode::json
                      : letter == 'p' ? Mode::prometheus
                      : letter == 'w' ? Mode::watch
                      : letter == 'k' ? Mode::kill
                      : letter == 'u' ? Mode::publish
                                      : Mode::table;
    if (mode == Mode::table) wrong(fmt::format("{} is not an option", argv[::optind - 1]));
    if (asked.mode != Mode::table) wrong("only one of the options can be given");
    asked.mode = mode;
    if (mode == Mode::watch && ::optarg) seconds = ::optarg;
  }
  std::vector<std::string> operands(argv + ::optind, argv + argc);
  const bool number_first = !operands.empty() && operands[0].find_first_not_of("0123456789.") == std::string::npos;
  if (asked.mode == Mode::watch && seconds.empty() && number_first) {
    seconds = operands[0];
    operands.erase(operands.begin());
  }
  if (!seconds.empty()) {
    const auto interval = parse_seconds(seconds);
    if (!interval) wrong(fmt::format("--watch {}: not a number of seconds from 0.1 to 3600", seconds));
    asked.interval = *interval;
  }
  if (operands.size() > 1) wrong("one UUID, user=NAME or client=ADDRESS can be given");
  const bool others = asked.hosts || asked.leases;
  if (others &&
      (!operands.empty() || (asked.mode != Mode::table && asked.mode != Mode::json) || (asked.hosts && asked.leases))) {
    wrong(fmt::format("{} takes --json, and nothing else", asked.hosts ? "--hosts" : "--leases"));
  }
  if (asked.cluster && (others || (asked.mode != Mode::table && asked.mode != Mode::json)))
    wrong("--cluster takes --json and a choice of sessions, and nothing else");
  if (asked.mode == Mode::publish && !operands.empty()) wrong("--publish is for all sessions");
  if (asked.mode == Mode::kill && operands.empty()) wrong("--kill needs UUID, user=NAME or client=ADDRESS");
  if (asked.mode == Mode::prometheus && !operands.empty()) wrong("--prometheus shows all sessions");
  if (!operands.empty()) asked.selector = Selector::parse(operands[0]);
  return asked;
}

std::vector<session::Session> living(const std::optional<Selector>& selector) {
  auto found = session::spool::living();
  if (selector) std::erase_if(found, [&](const session::Session& session) { return !selector->matches(session); });
  return found;
}

// The kernel's flows are listed once, however many sessions there are. All sessions are counted, since
// a flow may belong to another one.
std::vector<sessions::Row> rows_now(const std::optional<Selector>& selector) {
  auto all = session::spool::living();
  std::vector<conntrack::Flow> flows;
  if (!all.empty()) {
    const conntrack::Table table;
    for (const int family : {AF_INET, AF_INET6}) {
      auto more = table.list(family, connmark::kSuite);
      flows.insert(flows.end(), more.begin(), more.end());
    }
  }
  auto rows = sessions::ledger(std::move(all), flows, sessions::clock_now());
  if (selector) std::erase_if(rows, [&](const sessions::Row& row) { return !selector->matches(row.session); });
  return rows;
}

int nobody_to_end() {
  std::fputs("asp-sessions: nothing to end: no living session or lease matches\n", stderr);
  return tool::no;
}

// A lease of that id, if there is one.
int kill_lease(const std::string& id) {
  const auto by = session::ending::invoker();
  session::spool::prepare();
  if (!lease::reap::end_one(id, fmt::format("ended by {} (uid {})", logging::escape(by.name), by.uid)))
    return nobody_to_end();
  io::write_all(STDOUT_FILENO, status::Line{"ended", {}}.with("lease", id).text());
  return tool::yes;
}

int kill(const Selector& selector) {
  const auto doomed = living(selector);
  if (doomed.empty()) return selector.id() ? kill_lease(*selector.id()) : nobody_to_end();
  const auto outcome = session::ending::end(doomed, session::ending::invoker());
  std::string text;
  for (const auto& session : outcome.ended) {
    text += status::Line{"ended", {}}
                .with("session", session.id)
                .with("user", session.user)
                .with("client", session.client.text())
                .with("server", session.host.text())
                .text();
  }
  for (const auto& why : outcome.remain) std::fputs(fmt::format("asp-sessions: {}\n", why).c_str(), stderr);
  io::write_all(STDOUT_FILENO, text);
  return outcome.remain.empty() ? tool::yes : tool::os;
}

std::vector<sessions::HostRow> host_rows_now() {
  const auto config = config::load(paths::kConfig, config::Author::root);
  balance::share(config.cluster, balance::Haste::session);
  return sessions::host_rows(
      {config.rproxy.rules, balance::marks(), balance::connections(), session::spool::living(), balance::is_probed});
}

// Metrics are printed even when aspera.conf is wrong.
std::vector<sessions::HostRow> hosts_if_known() {
  try {
    return host_rows_now();
  } catch (const tool::Failure& failure) {
    if (failure.code() != tool::config) throw;
    return {};
  }
}

int show_hosts(const Asked& asked) {
  const auto rows = host_rows_now();
  std::string text;
  if (asked.mode == Mode::json) text = sessions::json(rows);
  else
    for (const auto& line : sessions::table(rows)) text += line + "\n";
  io::write_all(STDOUT_FILENO, text);
  return tool::yes;
}

int show_leases(const Asked& asked) {
  session::spool::prepare();
  auto leases = lease::open_registry().store->all();
  std::erase_if(leases, [](const lease::Lease& lease) { return lease.ending; });
  const auto flows = leases.empty() ? std::vector<conntrack::Flow>{} : lease::flows::all();
  const auto rows = sessions::lease_rows(std::move(leases), flows, boot_clock::seconds());
  std::string text;
  if (asked.mode == Mode::json) text = sessions::json(rows);
  else
    for (const auto& line : sessions::table(rows)) text += line + "\n";
  io::write_all(STDOUT_FILENO, text);
  return tool::yes;
}

// A wrong aspera.conf counts as one without a cluster.
std::string node_if_known() {
  try {
    return cluster::node_name_in(config::load(paths::kConfig, config::Author::root).cluster);
  } catch (const tool::Failure& failure) {
    if (failure.code() != tool::config) throw;
    return {};
  }
}

int publish() {
  const auto config = config::load(paths::kConfig, config::Author::root);
  sessions::require_shared(config.cluster);
  sessions::publish(config.cluster, cluster::node_name(), rows_now(std::nullopt));
  return tool::yes;
}

// This node's sessions are current. A missing node does not keep anybody from seeing the others, but
// the exit status says that the list is incomplete.
int show_cluster(const Asked& asked) {
  const auto config = config::load(paths::kConfig, config::Author::root);
  sessions::require_shared(config.cluster);
  const std::string here = cluster::node_name();
  auto found = sessions::views_of_others(config.cluster, here);
  auto own = rows_now(std::nullopt);
  const std::size_t count = own.size();
  found.views.insert(found.views.begin(), {here, std::nullopt, std::move(own), count});
  for (const auto& view : found.views) {
    if (view.rows.size() < view.sessions)
      found.missing.push_back(fmt::format("{}: {} of its {} sessions were left out, since there are too many",
                                          view.node, view.sessions - view.rows.size(), view.sessions));
  }
  std::size_t shown = 0;
  for (auto& view : found.views) {
    if (asked.selector)
      std::erase_if(view.rows, [&](const sessions::Row& row) { return !asked.selector->matches(row.session); });
    shown += view.rows.size();
  }
  std::string text;
  if (asked.mode == Mode::json) text = sessions::json(found.views);
  else
    for (const auto& line : sessions::table(found.views)) text += line + "\n";
  io::write_all(STDOUT_FILENO, text);
  for (const auto& why : found.missing)
    std::fputs(fmt::format("asp-sessions: not known: {}\n", logging::escape(why)).c_str(), stderr);
  if (!found.missing.empty()) return tool::temporary;
  return asked.selector && shown == 0 ? tool::no : tool::yes;
}

int show(const Asked& asked) {
  const auto rows = rows_now(asked.selector);
  std::string text;
  if (asked.mode == Mode::json) text = sessions::json(rows);
  else if (asked.mode == Mode::prometheus)
    text = prometheus::with_label(sessions::prometheus(rows, session::spool::drained(), hosts_if_known()), "node",
                                  node_if_known());
  else
    for (const auto& line : sessions::table(rows, false)) text += line + "\n";
  io::write_all(STDOUT_FILENO, text);
  return asked.selector && rows.empty() ? tool::no : tool::yes;
}

int run(int argc, char** argv) {
  const Asked asked = parse(argc, argv);
  if (::geteuid() != 0) {
    throw tool::Failure(tool::not_permitted,
                        "only root may read the session records and the kernel's flows: run it as root, or with sudo");
  }
  if (asked.hosts) return show_hosts(asked);
  if (asked.leases) return show_leases(asked);
  if (asked.cluster) return show_cluster(asked);
  if (asked.mode == Mode::publish) return publish();
  if (asked.mode == Mode::kill) return kill(*asked.selector);
  if (asked.mode == Mode::watch) {
    sessions::watch(asked.interval, [&] { return rows_now(asked.selector); });
    return tool::yes;
  }
  return show(asked);
}

}  // namespace

int main(int argc, char** argv) {
  return tool::guard("asp-sessions", kUsage, run, argc, argv, tool::Audience::operators);
}
