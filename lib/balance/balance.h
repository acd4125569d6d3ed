// balance/balance: which of a rule's internal servers a session tries, and in which
// order. The servers take turns, over all sessions of the machine; one that failed is
// passed over for a while.
//
// State, root's, in /run/sallyport/balance:
//
//   turns/KEY          how many turns a list of hosts has given
//   marks/STATE-HOST   a mark (record). Each state has its own file, so that nobody
//                      removes, by a mark of their own, what somebody else has set
//   marks/faulty-USER@HOST-KEY   for one account and a key of root's there: the host refuses it
//   marks/refused-USER@HOST-KEY  how often in a row it has refused them, where nobody else has that key or there
//                      is no other host: then it is not asked again for a while (balance/blame.h)
//   healed/STATE-HOST   a mark was removed while other nodes could not be told
//   lock               held while a count in a mark is changed
//   probes/HOST        locked by the one session that waits for a host that may
//                      not answer: its time as faulty is over, or it is silent
//   asking/USER@HOST-KEY   locked by the one session that asks a host whether it lets the account in; with a + behind,
//                      by the one that asks beside it
//   let_in/USER@HOST-KEY   when it last did, in seconds since the boot
//
// A killed session's locks are gone, and with them its suspicion.
//
// In a cluster turns and marks (except suspicions) are those of all its nodes, after share().
//
// Source: the guide's chapter "Load Balancing". Times are of CLOCK_BOOTTIME,
// which nobody sets. Failure{71} when the state cannot be read or written.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "balance/blame.h"
#include "balance/order.h"
#include "balance/types.h"
#include "base/address.h"
#include "session/route.h"
#include "session/spool.h"

namespace config {
struct Cluster;
}

namespace balance {

// Makes the directories. Called first by every privileged user of this module.
void prepare();

// For nodes of a cluster that has Redis; elsewhere it does nothing. From here on this process takes
// the turns of all nodes together, uses their marks, and tells them of marks that it sets or heals.
// Without Redis it goes on with what this node knows, and the others are told later
// (balance/shared.h). Nothing here fails because of Redis. A session waits for it 75 ms in all, and
// not at all when it has just been away; an administrator 2 s.
void share(const config::Cluster& cluster, Haste haste);
// From here on acts as if there were no cluster, and without a process that speaks with Redis.
void stop_sharing();
// The reason why Redis was of no use; empty if it was, or is not used.
std::string not_shared();

// All marks that count, in the order of their names; unreadable ones are removed.
std::vector<Mark> marks();
// A mark with `state` from now on, for `duration`; the reason is cut to one line of at most 512 bytes.
Mark mark_now(const HostPort& host, State state, std::chrono::seconds duration, const std::string& reason,
              const std::string& by);
void set(const Mark& mark);
// Removes every mark of `host`, whatever its state and account; returns how many there were.
std::size_t heal(const HostPort& host);
// True if a session is waiting for the host just now.
bool is_probed(const HostPort& host);

// Removes all marks of failures; maintenance stays.
void remove_fault_marks();
// Removes what dead sessions left, marks for one account that have been over for an hour, and marks
// for all accounts when the host is not among `named`. Absent: the named hosts are not known.
void sweep(const std::optional<std::vector<HostPort>>& named);

// A session that is connected to a host, with UDP or without.
struct Connection {
  std::string session;
  int rule = 0;
  HostPort host;
};
// Written into the token in session::spool::kDialers that each connected session holds. `address` is where
// the host was found: asp-pinhole of the same session asks for it.
void note_connected(session::spool::Token& dialer, const Connection& connection, const std::string& address);
std::vector<Connection> connections();

// One session's way through the hosts of its route.
//
//   Choice choice(route, id);
//   while (auto host = choice.next()) { choice.may_ask() … choice.connected() or choice.failed(…) }
//
// A single host is never marked faulty, since there is no other to go to. An account that it refuses again and again
// is made to wait all the same: it would end up refusing the proxy's address.
class Choice {
 public:
  // Takes a turn if there is more than one host; or looks at the next turn.
  Choice(const session::Route& route, std::string session, Turn turn = Turn::take);

  // The next host to try: first one whose time as faulty is over, if no other session is trying it; then the
  // good ones in turn; then those that others wait for. Absent: none is left.
  std::optional<HostPort> next();

  // Called before a host is tried, until it is not `wait`: of several sessions of one account, one asks the host first.
  // Once it is let in, and for a minute, two ask at a time with a user's own key, and all with one of root's; when it
  // is refused, the next one asks. So the host refuses a user's key twice at most, however many come at once, before
  // they are made to wait. `no`: the host is refused, faulty or silent meanwhile; next() goes on.
  enum class May { yes, wait, no };
  May may_ask();
  // Called while a host is being tried and is silent. True if this session is to wait all the same: one
  // session does, and marks it suspect; others go elsewhere, if they can.
  bool waits_though_silent();
  // True if this session is to go elsewhere, since another one found the host faulty meanwhile.
  bool given_up_by_others();

  // Report the result. `logged_in`: just now, not over a connection of an earlier session.
  void connected(bool logged_in);
  // Marks nothing if the host was left to others, or others have marked it.
  void failed(const std::string& reason, blame::Mark what);
  // Reports that the session ended meanwhile.
  void abandon() { release(); }

  // The hosts that were passed over, with the reasons, for the message that none is left.
  const std::vector<Mark>& passed_over() const { return passed_over_; }

 private:
  std::vector<std::string> mark_names() const;
  bool take_leave_to_ask(const std::string& account);
  Standing standing_of(const HostPort& host) const;
  bool is_alone() const { return hosts_.size() < 2; }
  bool has_alternative() const;
  void set_or_log(const Mark& mark) const;
  void mark_faulty(const std::string& reason, bool for_account);
  bool counts_refusals() const { return own_key_ || is_alone(); }
  void note_refusal(const std::string& reason);
  void release();

  const std::vector<HostPort> hosts_;
  const std::string user_;
  const std::string keyfile_;
  const bool own_key_;  // the user's own
  const std::chrono::seconds interval_;
  const std::chrono::seconds patience_;
  const std::string session_;
  unsigned long turn_ = 0;
  std::vector<HostPort> tried_;
  std::vector<HostPort> left_;  // hosts left to other sessions, which wait for them
  std::optional<HostPort> current_;
  std::optional<session::spool::Token> probe_;
  std::optional<session::spool::Token> asking_;
  bool suspects_ = false;  // we have set a mark
  bool patient_ = false;   // no other host is left: waits, whoever else does
  bool gave_way_ = false;
  std::vector<Mark> passed_over_;
};

// Takes the next turn of the list `key`: 0, 1, 2, … each exactly once, over all sessions.
unsigned long take_turn(const std::string& key);

}  // namespace balance
