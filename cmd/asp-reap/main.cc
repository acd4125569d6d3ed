// asp-reap: take away what dead sessions left in the firewall; asp-reap(8).
// Run by cron each minute: silent, on stdout too, when there is nothing to do.
#include <unistd.h>

#include <set>

#include <fmt/core.h>

#include "conntrack.h"
#include "firewall.h"
#include "firewall_text.h"
#include "logging.h"
#include "options.h"
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

// Rules in our chain that no living session accounts for.
void reap_rules(Family family, const std::set<std::string>& living) {
  std::vector<firewall::Rule> strays;
  for (const auto& rule : firewall::list(family)) {
    if (!living.contains(rule.comment)) strays.push_back(rule);
  }
  firewall::remove(family, strays);
  for (const auto& rule : strays) logging::event("Reaped a rule without a session: {}", logging::escape(rule.line));
}

bool accounts_for(const Session& session, const conntrack::Flow& flow) {
  if (flow.client.ip != session.client.ip || flow.proxy.ip != session.proxy.ip || flow.server.ip != session.host.ip) return false;
  if (session.pinned()) return flow.client == session.flow->client && flow.server == session.flow->server;
  return session.ports_kept() || flow.proxy.port == session.proxy_port;
}

// Flows that bear our mark, but belong to no living session.
void reap_flows(int family, const std::vector<Session>& living) {
  const conntrack::Table table;
  for (const auto& flow : table.list(family, firewall_text::kMark)) {
    bool accounted = false;
    for (const auto& session : living) accounted = accounted || accounts_for(session, flow);
    if (!accounted && table.remove(flow)) {
      logging::event("Reaped the flow between {} and {}", flow.client.text(), flow.server.text());
    }
  }
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
  std::set<std::string> ids;
  for (const auto& session : living) ids.insert(session.id);
  for (const auto family : {Family::v4, Family::v6}) reap_rules(family, ids);
  for (const int family : {AF_INET, AF_INET6}) reap_flows(family, living);
  spool::sweep();
  return tool::yes;
}

}  // namespace

int main(int argc, char** argv) { return tool::guard("asp-reap", run, argc, argv, tool::Audience::operators); }
