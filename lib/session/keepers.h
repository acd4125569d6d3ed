// session/keepers: connections to internal servers that wait for the next session of the
// same user and rule (<upstream_reuse>, aspera.conf(5)). A keeper is an asp-dial
// with option -R; asp-dial(1).
//
//   keepers/USER.RULE/ID          what it was verified for (Terms), and its process (Note);
//                                 locked by the living keeper
//   keepers/USER.RULE/ID.address  where it was connected to before the server could say a word
//   keepers/USER.RULE/ID.socket   where it accepts sessions, from root alone
//   keepers/USER.RULE/ID.session  token of the asp-upstream whose session it serves
//
// All of it belongs to root: a keeper that a server has compromised cannot pass for
// another. A name with a dot in front is not ready yet.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

#include "base/fd.h"
#include "session/spool.h"

namespace session::keepers {

// How many keepers one user has for one rule at most, and how long each is used. The key is not asked
// for again, so a connection is not used for long.
constexpr std::size_t kMaxPerRule = 4;
constexpr std::chrono::seconds kLongestUse{600};

// Makes the directory. Called first by every privileged user of this module.
void prepare();

// The terms that a connection was verified for. It serves no session whose terms differ in one byte. `text` is a
// record's (base/record.h): rule, account, versions of the files.
struct Terms {
  std::string user;
  int rule = 0;
  std::string text;
};

// The file about a keeper: two records, the second being its terms.
struct Note {
  pid_t pid = 0;
  unsigned long long started = 0;  // process::Process::started: the number names no later process
  long since = 0;                  // boot time, seconds
  std::string terms;

  // Strict; Failure{65}.
  static Note parse(std::string_view text);
  std::string text() const;
};

// The identity and version of the file at `path`: "device.inode.mtime.ctime.size", for Terms; "-" when
// there is none.
std::string identity_of(const std::string& path);
std::string identity_of(int fd);

// A connection to a keeper, and the exclusive right to use it.
struct Hold {
  std::string directory;  // in /run/sallyport
  std::string id;
  Fd socket;
  session::spool::Token session;
  std::string address;  // where the connection leads; empty for a new one
};

// A waiting keeper with these terms. Absent: there is none. Dead ones are removed.
std::optional<Hold> take(const Terms& terms);
// Notes where a new keeper's connection leads, for the sessions to come: once a server has spoken to the keeper, the
// keeper's word for it is no longer taken.
void note_address(const Hold& hold, const std::string& address);
// Removes a keeper that turned out to be useless, so that nobody finds it any more.
void discard(const Hold& hold);

// The place of a new keeper. Absent: the user has kMaxPerRule for that rule.
class Place {
 public:
  static std::optional<Place> make(const Terms& terms);
  Place(Place&&) = default;
  ~Place();
  // For the new asp-dial: its listening socket, and the lock that it holds as long as it lives.
  int listener() const { return listener_.get(); }
  int lock() const { return lock_.get(); }
  // The keeper runs as `pid`: from here on it can be found, and is ours to use.
  Hold open(pid_t pid);

 private:
  Place() = default;
  Terms terms_;
  std::string directory_;
  std::string id_;
  Fd listener_;
  Fd lock_;
};

// Ends keepers (SIGKILL), and removes them: all, or those of `user`. Returns how many.
std::size_t end_all();
std::size_t end_of(const std::string& user);

// Removes what dead keepers left.
void sweep();

}  // namespace session::keepers
