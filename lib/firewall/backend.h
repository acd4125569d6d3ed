// firewall/backend: puts the rules of sessions in force: iptables(8), ip6tables(8), or nftables.
// firewall/firewall.h tells which of them a session has. Needs root. The caller holds a
// session::spool::FirewallLock. Failure{71} when the programs are missing or refuse.
//
// Some functions depend on the other living sessions, which are read from the spool: the records there
// must be as the rules are in force.
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
  std::string comment;  // session id; any comment, when the rule is foreign
  std::string line;     // for people; for iptables, as iptables -S prints it
};

struct Mended {
  bool laid = false;          // the base was missing or damaged, or a rule was
  bool outdated = false;      // chains of an older release were there; the base was laid in their place
  std::vector<Rule> removed;  // rules in our chains that no session accounts for
};

class Backend {
 public:
  virtual ~Backend() = default;

  // "IPv4", "IPv6", "nftables".
  virtual const char* name() const = 0;
  // True if its program is there.
  virtual bool is_installed() const = 0;

  // --- for a session whose record names this backend ---

  // Adds the session's rules. If the base is missing or damaged, lays it first, and then the rules of all
  // others, too.
  virtual void open(const session::Session& session) = 0;
  // Narrows the session's rules: it has a flow now.
  virtual void pin(const session::Session& session) = 0;
  // Removes the session's rules; it is not an error when there are none.
  virtual void close(const session::Session& session) = 0;

  // How often the holder has to renew the rules, which expire otherwise; absent where nothing expires.
  virtual std::optional<std::chrono::seconds> renewal() const = 0;
  virtual void renew(const session::Session& session) = 0;

  // Adds rules in the session's name, pinned to a flow that may turn out to be its own. They replace such
  // rules of other sessions that the flow has here.
  virtual void offer(const session::Session& session) = 0;
  // Removes all rules in the session's name except those that it should have.
  virtual void settle(const session::Session& session) = 0;
  // Removes all rules in the session's name.
  virtual void close_all(const session::Session& session) = 0;

  // --- for a session of any backend ---

  // Removes the pinned rules that the flow of `session` has here, in whichever name.
  virtual void close_flow(const session::Session& session) = 0;

  // --- for all living sessions; those of other backends are ignored ---

  // Compares the rules in force with what `sessions` should have, and corrects the difference. Lays the base
  // only if some of them are of this backend, or an older release's is there.
  virtual Mended reconcile(const std::vector<session::Session>& sessions) = 0;
  // Puts the base in force, and the rules of `sessions`; replaces whatever our chains held before.
  virtual void lay(const std::vector<session::Session>& sessions) = 0;
  // The ids of those among `sessions`, and perhaps of others, whose packets find a rule.
  virtual std::set<std::string> find_served(const std::vector<session::Session>& sessions) = 0;
  // Whether the chains and jumps that lead to the sessions' rules are in force.
  virtual text::Base inspect_base() = 0;
  // Removes everything of the suite's. False: there was nothing.
  virtual bool purge() = 0;
};

}  // namespace firewall
