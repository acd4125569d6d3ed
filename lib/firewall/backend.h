// firewall/backend: what puts the rules of sessions in force: iptables(8), ip6tables(8),
// or nftables. Which of them a session has, firewall/firewall.h says. Needs root. The
// caller holds a session::spool::FirewallLock. Failure{71} when the programs are missing
// or refuse.
//
// Some of it depends on the other sessions that live, which are read from the
// spool: there they must be as they are in force.
#pragma once

#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "firewall/text.h"
#include "session/session.h"

namespace firewall {

struct Rule {
  std::string comment;  // session id; any comment, when it is foreign
  std::string line;     // for people; of iptables, as iptables -S prints it
};

struct Mended {
  bool laid = false;          // the base was missing or damaged, or a rule was
  std::vector<Rule> removed;  // rules in our chains that no session accounts for
};

class Backend {
 public:
  virtual ~Backend() = default;

  // "IPv4", "IPv6", "nftables".
  virtual const char* name() const = 0;
  // Whether its program is there at all.
  virtual bool is_installed() const = 0;

  // --- for a session whose record names this backend ---

  // Adds its rules. Lays the base first when it is missing or damaged, and then
  // puts back the rules of all others.
  virtual void open(const Session& session) = 0;
  // Narrows its rules: it has a flow now.
  virtual void pin(const Session& session) = 0;
  // Removes its rules; it is no error when there are none.
  virtual void close(const Session& session) = 0;

  // How often the holder has to renew the rules, which else expire; absent where
  // nothing expires.
  virtual std::optional<std::chrono::seconds> renewal() const = 0;
  virtual void renew(const Session& session) = 0;

  // Adds rules in its name, pinned to a flow that may turn out to be its own, in
  // the place of whichever such rules that flow has here.
  virtual void offer(const Session& session) = 0;
  // Of all rules in its name, leaves just those it should have.
  virtual void settle(const Session& session) = 0;
  // And leaves none.
  virtual void close_all(const Session& session) = 0;

  // --- for a session of any backend ---

  // Removes the pinned rules that the flow of `session` has here, in whoever's name.
  virtual void close_flow(const Session& session) = 0;

  // --- for all sessions that live; those of other backends are passed over ---

  // Compares what is in force with what `sessions` should have, and mends the
  // difference. Lays the base only if some of them are of this backend.
  virtual Mended reconcile(const std::vector<Session>& sessions) = 0;
  // Puts the base in force, and the rules of `sessions`; whatever our chains held
  // before is replaced.
  virtual void lay(const std::vector<Session>& sessions) = 0;
  // The ids of those among `sessions`, and maybe of others, whose packets find a rule.
  virtual std::set<std::string> find_served(const std::vector<Session>& sessions) = 0;
  // Whether the chains and jumps that lead to the sessions' rules are in force.
  virtual text::Base inspect_base() = 0;
  // Removes everything of the suite's. False: there was nothing.
  virtual bool purge() = 0;
};

}  // namespace firewall
