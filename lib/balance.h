// balance: which of a rule's internal servers a session tries, and in which
// order: each in its turn, over all sessions of the machine; one that failed is
// passed over for a while.
//
// State, root's, in /run/sallyport/balance:
//
//   turns/KEY         how many turns a list of hosts has given
//   marks/HOST        a mark (record): faulty, suspect, or maintenance
//   marks/USER@HOST   the same, for one account there: the host refused its key
//   probes/HOST       locked by the session that tries the host after its time
//
// Source: the guide's chapter "Load Balancing". Times are of CLOCK_BOOTTIME,
// which nobody sets. Failure{71} when the state cannot be read or written.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "address.h"
#include "spool.h"

namespace balance {

enum class State {
  faulty,       // it failed; passed over until its time has come
  suspect,      // a session has been waiting for it for long, and still does
  maintenance,  // an administrator said so; until he heals it
};
const char* name_of(State state);

struct Mark {
  HostPort host;
  std::string user;                 // empty: for all accounts
  State state = State::faulty;
  std::string since;                // RFC 3339
  std::chrono::seconds until{0};    // since boot; of no meaning for maintenance
  std::string reason;
  std::string by;                   // a session's id, or who the administrator is

  // Whether its time has come: the next session may try the host.
  bool over() const;
  // What is left until then.
  std::chrono::seconds left() const;
};

// Makes the directories. Called first by every privileged user of this module.
void prepare();

// All marks, in the order of their names.
std::vector<Mark> marks();
void set(const Mark& mark);
// Every mark of `host`, whatever the account; how many there were.
std::size_t heal(const HostPort& host);

// `state` from now on, for `duration`.
Mark mark_now(const HostPort& host, State state, std::chrono::seconds duration, const std::string& reason, const std::string& by);

// One session's way through the hosts of its route.
//
//   Choice choice(route.hosts, route.upstream_user, route.faulty_interval, id);
//   while (auto host = choice.next()) { … choice.connected() or choice.failed(…) }
//
// A single host is never marked faulty, since there is no other to go to.
class Choice {
 public:
  // Takes a turn if there is more than one host.
  Choice(std::vector<HostPort> hosts, std::string user, std::chrono::seconds interval, std::string session);

  // The next to try: one whose time as faulty is over first, if nobody else is
  // trying it; then the good ones in turn; then the suspects. Absent: none left.
  std::optional<HostPort> next();

  // What came of the last one.
  void connected();
  // It has been silent for so long that others should rather go elsewhere for
  // the next `duration`.
  void suspect(std::chrono::seconds duration);
  enum class Scope { host, account };
  void failed(const std::string& reason, Scope scope);
  // Nothing that others should know of.
  void abandon();

  // Whether somebody else has found the host that is being tried to be faulty.
  bool given_up_by_others() const;
  // Hosts that were passed over, and why: for the message that none is left.
  const std::vector<Mark>& passed_over() const { return passed_over_; }

 private:
  struct Standing;
  Standing standing_of(const HostPort& host) const;
  void clear_own_suspicion();

  std::vector<HostPort> hosts_;
  const std::string user_;
  const std::chrono::seconds interval_;
  const std::string session_;
  unsigned long turn_ = 0;
  std::vector<HostPort> tried_;
  std::optional<HostPort> current_;
  std::optional<spool::Token> probe_;
  bool suspected_ = false;
  std::vector<Mark> passed_over_;
};

// Takes the next turn of the list `key`: 0, 1, 2, … each exactly once, whoever
// asks.
unsigned long take_turn(const std::string& key);

}  // namespace balance
