#include "firewall/reap.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "base/failure.h"
#include "base/logging.h"
#include "firewall/firewall.h"
#include "firewall/flows.h"
#include "kernel/connmark.h"
#include "kernel/conntrack.h"
#include "session/session.h"
#include "session/spool.h"

namespace firewall::reap {
namespace {

// Removes rule, flows and record of sessions whose holder died.
void reap_orphans() {
  for (const auto& orphan : session::spool::orphans()) {
    const session::Session& session = orphan.session;
    backend_of(session).close(session);
    session::spool::remove(orphan);
    logging::event("Reaped session={} user={} client={} host={}: its holder is dead", session.id,
                   logging::field(session.user), session.client.text(), session.host.text());
  }
}

bool is_used(Part part, const std::vector<session::Session>& living) {
  return std::any_of(living.begin(), living.end(),
                     [&](const session::Session& session) { return part_of(session) == part; });
}

// Makes the rules in force those of the living sessions, and the base as it should be.
void mend_rules(Backend& backend, const std::vector<session::Session>& living) {
  const auto mended = backend.reconcile(living);
  if (mended.outdated)
    logging::event("{}: took away the chains of an older release, and moved the rules of living sessions",
                   backend.name());
  else if (mended.laid)
    logging::event("Put back the rules of {} living sessions: the firewall had lost some", living.size());
  for (const auto& rule : mended.removed)
    logging::event("Reaped a rule without a session: {}", logging::escape(rule.line));
}

// A stopped proxy has no rules, not even those of a session that would not end.
void purge_rules(Backend& backend) {
  if (backend.purge()) logging::event("Purged all {} rules: the proxy is stopped", backend.name());
}

// A firewall that no session uses may be missing: a kernel without IPv6, a host without nftables or
// with nothing else.
void mend(Part part, bool stopped, const std::vector<session::Session>& living) {
  auto& backend = firewall::backend(part);
  const bool used = is_used(part, living);
  if (!used && !backend.is_installed()) return;
  try {
    if (stopped) purge_rules(backend);
    else mend_rules(backend, living);
  } catch (const tool::Failure& failure) {
    if (used || part == Part::iptables) throw;
    logging::debug1("{}: {}", backend.name(), logging::escape(failure.what()));
  }
}

// Ends flows that have our mark but belong to no living session, and flows that began while the rules
// were missing, and so are not translated.
void reap_flows(int family, const std::vector<session::Session>& living) {
  // Sorted by client address, since there may be thousands of both.
  std::map<std::string, std::vector<const session::Session*>> by_client;
  for (const auto& session : living) by_client[session.client.ip.text()].push_back(&session);
  const conntrack::Table table;
  for (const auto& flow : table.list(family, 0)) {
    if (flows::is_of_lease(flow)) continue;
    const auto of_client = by_client.find(flow.client.ip.text());
    const auto any = [&](const auto& accounts) {
      if (of_client == by_client.end()) return false;
      return std::any_of(of_client->second.begin(), of_client->second.end(),
                         [&](const session::Session* session) { return accounts(*session); });
    };
    const bool marked = (flow.mark & connmark::kSuite) != 0;
    const bool wrong = marked ? !any([&](const session::Session& session) { return flows::belongs(session, flow); })
                              : !flow.translated() && any([&](const session::Session& session) {
                                  return flows::would_take(session, flow.client, flow.proxy) &&
                                         (!session.pinned() || session.flow->client == flow.client);
                                });
    if (wrong && table.remove(flow)) {
      logging::event("Reaped the flow between {} and {}", flow.client.text(), flow.server.text());
    }
  }
}

// A stopped proxy serves none of them.
std::vector<session::Session> sessions_to_serve(bool stopped) {
  return stopped ? std::vector<session::Session>{} : session::spool::living();
}

}  // namespace

void all() {
  reap_orphans();
  const bool stopped = session::spool::stopped();
  const auto living = sessions_to_serve(stopped);
  for (const auto part : kParts) mend(part, stopped, living);
  for (const int family : {AF_INET, AF_INET6}) reap_flows(family, living);
  session::spool::sweep();
}

void flows() {
  const auto living = sessions_to_serve(session::spool::stopped());
  for (const int family : {AF_INET, AF_INET6}) reap_flows(family, living);
}

}  // namespace firewall::reap
