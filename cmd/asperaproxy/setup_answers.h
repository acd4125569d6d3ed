// setup_answers: what the administrator wants of `asperaproxy setup`: by options, by answers, or as it was the last
// time. Each option and its question are one row of a table, and are parsed by one function.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/io.h"
#include "base/record.h"

namespace asperaproxy::setup {

enum class RootLogin { undecided, no, key };
enum class Border { undecided, yes, no };

enum class Direction { reverse, forward, both, node };

struct Answers {
  Direction direction = Direction::reverse;
  // For the reverse proxy:
  std::vector<HostPort> servers;     // the port is never 0
  std::vector<IpAddress> addresses;  // of the proxy, where clients come
  std::string squash;                // everybody's account on the servers; empty: each has the own name there
  std::string user;                  // the first one outside; empty: none yet
  std::string key;                   // that user's public key, a line
  std::vector<std::string> prints;   // fingerprints of host keys that are known to be right
  RootLogin root_login = RootLogin::undecided;
  // For the forward proxy:
  std::optional<IpAddress> inside;        // of the proxy, where people inside come
  std::vector<std::string> destinations;  // that they may reach; empty: any but private ones
  std::string node_user;                  // the first one inside; empty: none yet
  std::string password;                   // the node user's; empty: asked for on the terminal. It is not remembered
  std::optional<HostPort> target;         // a server outside to prove it with
  // For a transfer node, whose `user` is the account that the proxy logs in to, and `key` the proxy's:
  std::vector<IpAddress> proxies;         // where all its sessions come from
  std::string docroot = "/srv/transfer";  // a folder in it for each account
  // Where the original proxy was:
  std::string original;  // its aspera.conf; empty: it was not here. Servers and addresses are those of the file
  bool sudoers = false;  // its lines of sudoers may go
  // For both:
  Border border = Border::undecided;
  bool operator==(const Answers&) const = default;
  bool reverse() const { return direction == Direction::reverse || direction == Direction::both; }
  bool forward() const { return direction == Direction::forward || direction == Direction::both; }
  bool node() const { return direction == Direction::node; }

  // Failure{65}.
  static Answers from_record(const Record& record);
  Record to_record() const;
};

enum class Manner { ask, take, show, undo };  // --yes, --dry-run, --undo

struct Asked {
  Manner manner = Manner::ask;
  Answers answers;
};

// Somebody at standard input.
class Person {
 public:
  // A line, without blanks at its ends. Absent: the input has ended.
  std::optional<std::string> answer(const std::string& question);

 private:
  io::LineBuffer lines_{16 * 1024};
};

extern const char kUsage[];

// The words behind "setup", what was answered the last time, and what the host shows. Asks the person for what
// no option says; a wrong answer is asked for three times. Failure{64}: an option or the answers are wrong, or missing.
Asked asked(const std::vector<std::string>& words, const Answers& before, Person& person);

}  // namespace asperaproxy::setup
