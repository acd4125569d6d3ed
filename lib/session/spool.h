// session/spool: /run/sallyport, the suite's only state; it disappears together with the kernel's
// rules.
//
//   sessions/UUID        a session record, locked (flock) by its living holder:
//                        a lock that can be taken means that the holder is dead
//   clients/ADDRESS/UUID the sessions of a client address
//   rules/NUMBER/UUID    the sessions of a rule
//   users/NAME/UUID      the sessions of a user
//   chains/FAMILY/UUID   the sessions that iptables forwards, of IPv4 (4) or IPv6 (6)
//   callers/PID.START    one pinhole per session of sshd
//   turns/CLIENT,PROXY   the session whose turn it is to open
//   offers/UUID          a flow was handed on to this session
//   balance/             turns and marks of internal servers (balance/balance.h)
//   dialers/PID.START    one asp-upstream per session of sshd; once connected, it notes
//                        the session, its rule, the server and the server's address
//   logged/UID           how much of the log a user has today (base/log_file.h)
//   lock                 held while the firewall is changed
//   drain                exists while no new sessions are taken
//   stopped              exists while the proxy is stopped
//
// All of it belongs to root. Records are written to a temporary name, locked,
// and renamed. Every failure is Failure{71}.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/logging.h"
#include "session/session.h"

namespace session::spool {

// Makes the directories. Called first by every privileged tool.
void prepare();

// Makes one more directory of root's below /run/sallyport, of that name.
void make_directory(const std::string& name);

// The names in that directory below /run/sallyport, in no order; none when the directory does not
// exist.
std::vector<std::string> names_in(const std::string& directory);

// Held while the firewall is changed; waits in line for it (fd::lock_in_line, Failure{75}). What is logged meanwhile is
// written once it is free.
class FirewallLock {
 public:
  FirewallLock();
  // The same, and false, without the lock, once `ended` says so, which is asked twice a second.
  explicit FirewallLock(const std::function<bool()>& ended);
  explicit operator bool() const { return static_cast<bool>(lock_); }

 private:
  logging::Later later_;
  Fd lock_;
};

// A file that exists, and is locked, as long as this object lives.
class Token {
 public:
  // Absent: a living process holds it.
  static std::optional<Token> take(const std::string& directory, const std::string& name);
  Token(Token&&) = default;
  Token& operator=(Token&& other) noexcept;
  ~Token();
  // Writes what the token tells of its holder, at most 4 KiB.
  void note(const std::string& text);

 private:
  Token(std::string path, Fd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  void drop();
  std::string path_;
  Fd lock_;
};
// True if a living process holds it. For a moment nobody can take it.
bool is_held(const std::string& directory, const std::string& name);
constexpr char kCallers[] = "callers";
constexpr char kTurns[] = "turns";
constexpr char kDialers[] = "dialers";

// The note of the token `name`, if it is held and has one; see Token::note.
std::optional<std::string> note(const std::string& directory, const std::string& name);
// The notes of all tokens there that are held and have one.
std::vector<std::string> notes(const std::string& directory);

// The holder's own record.
class Entry {
 public:
  // Failure{77} when a session of that id lives already.
  explicit Entry(const Session& session);
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;
  // The record stays for asp-reap, unless remove() was called.
  ~Entry() = default;

  void update(const Session& session);
  void remove();

 private:
  std::string id_;
  std::string path_;
  std::vector<std::string> indexes_;
  Fd lock_;
};

// All sessions whose holder lives; with `client`, only those of that address, at a cost that does not
// grow with the others.
std::vector<Session> living();
std::vector<Session> living_of(const IpAddress& client);

// The session of that id, if its holder lives.
std::optional<Session> living_of_id(const std::string& id);

// Records, and tells, that another session handed a flow on to session `id`, so that there may be more
// rules in its name than its own.
void note_offer(const std::string& id);
bool was_offered(const std::string& id);

// How many sessions are on record; a dead one counts until it is reaped.
std::size_t count();
std::size_t count_of_rule(int rule);
std::size_t count_of_user(const std::string& user);
// How many sessions of the address family of `client` iptables forwards.
std::size_t count_in_chain(const IpAddress& client);

// True if new sessions are refused (asperaproxy drain). Needs no rights.
bool drained();
void set_drained(bool on);

// True if the proxy is stopped (asperaproxy stop): then new sessions are refused, too, and there are
// no rules of ours. Needs no rights.
bool stopped();
void set_stopped(bool on);

// Failure{75} when the proxy is stopped or drained.
void check_admission();

// A record whose holder is dead, locked by us so that no other process reaps it.
struct Orphan {
  Session session;
  std::string path;
  Fd lock;
};
// Removes unreadable and temporary leftovers on the way.
std::vector<Orphan> orphans();
void remove(const Orphan& orphan);

// Removes tokens that nobody holds, and index entries without a record.
void sweep();

}  // namespace session::spool
