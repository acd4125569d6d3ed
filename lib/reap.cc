#include "reap.h"

#include <algorithm>
#include <vector>

#include <fmt/core.h>

#include "conntrack.h"
#include "firewall.h"
#include "firewall_text.h"
#include "flows.h"
#include "logging.h"
#include "session.h"
#include "spool.h"
#include "tool.h"

namespace reap {
namespace {

using firewall_text::Family;

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

// A stopped proxy has no rules, not even those of a session that would not end.
void purge(Family family) {
  try {
    if (firewall::look_at_base(family) == firewall_text::Base::absent) return;
  } catch (const tool::Failure&) {
    if (family == Family::v6) return;  // a kernel without IPv6
    throw;
  }
  firewall::purge(family);
  logging::event("Purged all {} rules: the proxy is stopped", family == Family::v4 ? "IPv4" : "IPv6");
}

// Flows that bear our mark, but belong to no living session; and flows that
// began while the rules were missing, and so are not translated.
void reap_flows(int family, const std::vector<Session>& living) {
  const auto any = [&](const auto& accounts) { return std::any_of(living.begin(), living.end(), accounts); };
  const conntrack::Table table;
  for (const auto& flow : table.list(family, 0)) {
    if (flows::is_of_lease(flow)) continue;
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

}  // namespace

void all() {
  reap_orphans();
  const bool stopped = spool::stopped();
  const auto living = stopped ? std::vector<Session>{} : spool::living();
  for (const auto family : {Family::v4, Family::v6}) {
    if (stopped) purge(family);
    else reconcile(family, living);
  }
  for (const int family : {AF_INET, AF_INET6}) reap_flows(family, living);
  spool::sweep();
}

}  // namespace reap
