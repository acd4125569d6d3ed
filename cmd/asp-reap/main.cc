// asp-reap: make the firewall hold the rules of the living sessions, no more and
// no less; asp-reap(8).
// Run by cron each minute: silent, on stdout too, when there is nothing to do.
#include <unistd.h>

#include <algorithm>

#include <fmt/core.h>

#include "config.h"
#include "conntrack.h"
#include "firewall.h"
#include "firewall_text.h"
#include "flows.h"
#include "log_file.h"
#include "logging.h"
#include "options.h"
#include "paths.h"
#include "session.h"
#include "spool.h"
#include "tool.h"

namespace {

using firewall_text::Family;

constexpr char kUsage[] = "asp-reap";

// Sessions whose holder died: rule, flows and record go.
void reap_orphans() {
  for (const auto& orphan : spool::orphans()) {
    const Session& session = orphan.session;
    firewall::close(session);
    spool::remove(orphan);
    logging::event("Reaped session={} user={} client={} host={}: its holder is dead", session.id, session.user,
                   session.client.text(), session.host.text());
  }
}

// The rules in force become those of the living sessions, and the base too.
void reconcile(Family family, const std::vector<Session>& living) {
  const auto mended = firewall::reconcile(family, living);
  if (mended.laid) logging::event("Put back the rules of {} living sessions: the firewall had lost some", living.size());
  for (const auto& rule : mended.removed) logging::event("Reaped a rule without a session: {}", logging::escape(rule.line));
}

// Flows that bear our mark, but belong to no living session; and flows that
// began while the rules were missing, and so are not translated.
void reap_flows(int family, const std::vector<Session>& living) {
  const auto any = [&](const auto& accounts) { return std::any_of(living.begin(), living.end(), accounts); };
  const conntrack::Table table;
  for (const auto& flow : table.list(family, 0)) {
    const bool marked = (flow.mark & firewall_text::kMark) != 0;
    const bool wrong = marked ? !any([&](const Session& session) { return flows::belongs(session, flow); })
                              : !flow.translated() && any([&](const Session& session) {
                                  return flows::would_take(session, flow.client, flow.proxy) &&
                                         (!session.pinned() || session.flow->client == flow.client);
                                });
    if (wrong && table.remove(flow)) {
      logging::event("Reaped the flow between {} and {}", flow.client.text(), flow.server.text());
    }
  }
}

// Sessions cannot make their own log, for instance after a rotation. Who needs
// aspera.conf says what is wrong with it.
void prepare_log() {
  std::string directory;
  try {
    directory = config::load(paths::kConfig, config::Author::root).rproxy.log_directory;
  } catch (const tool::Failure&) {
    return;
  }
  log_file::prepare(directory);
}

int run(int argc, char** argv) {
  const auto options = options::parse(argc, argv, "", kUsage);
  if (!options.operands.empty()) options::fail_usage(kUsage, "no operands are taken");
  if (::geteuid() != 0) throw tool::Failure(tool::not_permitted, "asp-reap must be run as root");
  spool::prepare();
  // Under the lock no session opens, pins or closes, so that what is on record
  // and what is in force can be compared.
  const spool::FirewallLock lock;
  reap_orphans();
  const auto living = spool::living();
  for (const auto family : {Family::v4, Family::v6}) reconcile(family, living);
  for (const int family : {AF_INET, AF_INET6}) reap_flows(family, living);
  spool::sweep();
  prepare_log();
  return tool::yes;
}

}  // namespace

int main(int argc, char** argv) { return tool::guard("asp-reap", run, argc, argv, tool::Audience::operators); }
