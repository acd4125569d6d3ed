// hosts: the state of each internal server of each rule, from aspera.conf, the marks
// (balance/balance.h) and the sessions. Pure.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "balance/balance.h"
#include "config/config.h"
#include "session/session.h"

namespace sessions {

struct HostRow {
  int rule = 0;            // 0: no rule leads there, but a mark names it
  unsigned long line = 0;  // of the rule
  HostPort host;
  std::string user;     // empty: the mark is for the whole host; otherwise for that account,
  std::string keyfile;  // with that key
  std::size_t sessions = 0;
  // good, faulty, due (its time is over, the next session tries it), probing (a session is trying it),
  // suspect, or maintenance
  std::string state = "good";
  std::optional<balance::Mark> mark;  // the reason for the state

  bool in_service() const { return !mark; }
  // "10.0.0.10:22" or "xfer@10.0.0.10:22".
  std::string name() const { return mark ? mark->target() : host.text(); }
};

struct Known {
  std::vector<config::Rule> rules;
  std::vector<balance::Mark> marks;
  std::vector<balance::Connection> connections;
  std::vector<session::Session> living;
  std::function<bool(const HostPort&)> is_probed;
};

// In the order of aspera.conf. Each host is followed by the accounts that it refuses. Hosts that only
// a mark names come last.
std::vector<HostRow> host_rows(const Known& known);

}  // namespace sessions
