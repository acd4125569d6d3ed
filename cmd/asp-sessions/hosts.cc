#include "hosts.h"

#include <algorithm>
#include <set>

namespace sessions {
namespace {

using balance::Mark;

// Ranks marks: the highest says the most about a host.
int weight(const Mark& mark) {
  if (mark.state == balance::State::maintenance) return 3;
  if (mark.state == balance::State::faulty && !mark.over()) return 2;
  return mark.state == balance::State::suspect ? 1 : 0;
}

const Mark* heaviest(const std::vector<Mark>& marks, const HostPort& host) {
  const Mark* found = nullptr;
  for (const auto& mark : marks) {
    if (mark.host == host && mark.user.empty() && (!found || weight(mark) > weight(*found))) found = &mark;
  }
  return found;
}

std::string state_of(const Mark& mark, const Known& known) {
  const bool ends = mark.state == balance::State::faulty || mark.state == balance::State::refused;
  if (!ends || !mark.over()) return balance::name_of(mark.state);
  return known.is_probed(mark.host) ? "probing" : "due";
}

// A lingering session is not connected any more. Its record has the server's address, but not the name
// that aspera.conf may have instead.
std::size_t sessions_on(int rule, const HostPort& host, const Known& known) {
  std::set<std::string> ids;
  for (const auto& each : known.connections) {
    if (each.rule == rule && each.host == host) ids.insert(each.session);
  }
  for (const auto& session : known.living) {
    if (session.lingering && session.route.rule == rule && session.host.text() == host.text()) ids.insert(session.id);
  }
  return ids.size();
}

HostRow row_of(int rule, unsigned long line, const HostPort& host, const Known& known) {
  HostRow row{rule, line, host, "", "", sessions_on(rule, host, known), "good", std::nullopt};
  if (const Mark* mark = heaviest(known.marks, host)) {
    row.state = state_of(*mark, known);
    row.mark = *mark;
  }
  return row;
}

void add_accounts(std::vector<HostRow>& rows, const config::Rule& rule, const HostPort& host, const Known& known) {
  for (const auto& mark : known.marks) {
    const bool belongs =
        mark.host == host && !mark.user.empty() && (rule.squash_user.empty() || rule.squash_user == mark.user);
    if (belongs)
      rows.push_back({rule.number, rule.line, host, mark.user, mark.keyfile, 0, state_of(mark, known), mark});
  }
}

}  // namespace

std::vector<HostRow> host_rows(const Known& known) {
  std::vector<HostRow> rows;
  std::set<std::string> named;
  for (const auto& rule : known.rules) {
    for (const auto& host : rule.hosts) {
      named.insert(host.text());
      rows.push_back(row_of(rule.number, rule.line, host, known));
      add_accounts(rows, rule, host, known);
    }
  }
  for (const auto& mark : known.marks) {
    if (mark.user.empty() && named.insert(mark.host.text()).second) rows.push_back(row_of(0, 0, mark.host, known));
  }
  return rows;
}

}  // namespace sessions
