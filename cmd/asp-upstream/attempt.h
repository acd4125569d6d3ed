// attempt: one asp-dial that connects to one internal server, or is connected already. It waits with
// the remote command until it is told to run it; asp-dial(1), options -C and -R.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "balance/balance.h"
#include "balance/blame.h"
#include "base/address.h"
#include "base/child.h"
#include "base/deadline.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/status.h"
#include "conductor_link.h"
#include "session/keepers.h"
#include "session/route.h"
#include "who/command_line.h"

class Attempt {
 public:
  // The common input of all attempts. `descriptors` become asp-dial's stdin, stdout and stderr, which it
  // does not touch before "run". `family` is that of the server's address, AF_UNSPEC if it does not matter.
  struct Errand {
    const session::Route& route;
    int family;
    const std::string& key;
    const command_line::Words& words;
    const std::vector<Fd>& descriptors;
  };
  // How long a session waits for another one's log-in with the same account.
  static constexpr std::chrono::seconds kOthersTime{10};
  // How long it waits before it tries an unreachable server once more: its sshd may be restarting.
  static constexpr std::chrono::seconds kSoon{1};
  // How long it may take until one of the route's servers is connected, or none can be.
  static std::chrono::seconds longest(const session::Route& route);
  // Starts connecting, under the account that all dialers share.
  static Attempt dial(const Errand& errand, const HostPort& host);
  // Does the same, but asp-dial stays for the next session on the terms of `place`.
  static Attempt dial_and_keep(const Errand& errand, const HostPort& host, session::keepers::Place place);
  // Uses a connection that an earlier session made.
  static Attempt reuse(const Errand& errand, session::keepers::Hold hold);

  // Why it is not connected, and whose fault that is.
  struct Trouble {
    tool::Failure failure;
    balance::blame::Verdict verdict;
  };
  // Absent: it is connected. Trouble{69} also when another session finds the host faulty meanwhile.
  // Failure{74, 75} when the link ends.
  std::optional<Trouble> await_connected(balance::Choice& choice, ConductorLink& link);
  // asp-dial's line about the connection: host key, and how long each step took.
  const status::Line& connected() const { return connected_; }
  // Where it leads: what asp-dial said before the server could say anything to it. A server that got the better of
  // asp-dial since cannot lead the session's UDP elsewhere.
  const std::string& address() const { return address_; }
  // Ends a kept connection that turned out to be useless.
  void discard();

  // Its process number; not positive when it is not a child of ours.
  pid_t dialer() const { return child_.pid(); }

  // Carries "run" one way and status lines the other until asp-dial or the link
  // ends. Returns asp-dial's exit status. Failure{70}: it was killed for a forbidden system call.
  int relay(ConductorLink& link);
  // After relay(): how the session ended, "EOF" or the reason.
  const std::string& end() const { return end_; }

 private:
  Attempt(std::chrono::seconds patience, std::chrono::milliseconds connect_timeout)
      : patience_(patience), quickly_(Deadline::in(std::min<std::chrono::milliseconds>(kQuick, connect_timeout / 2))) {}
  void hand_session(const Errand& errand, session::keepers::Hold hold);
  std::optional<status::Line> next();
  void note_reached(const status::Line& line);
  Trouble trouble(tool::Exit code, const std::string& reason, bool of_client = false) const;
  void note_end(const status::Line& line);
  status::Line for_conductor(const status::Line& line) const;
  int wait_for_end();
  std::string cause_of_death();

  static constexpr std::chrono::seconds kQuick{3};  // at most, and half of the time for connecting

  std::chrono::seconds patience_;  // for everything up to connected
  Deadline quickly_;
  child::Child child_;
  std::optional<session::keepers::Hold> hold_;
  int status_ = tool::os;  // for an asp-dial that is not our child
  Fd control_;
  io::LineBuffer lines_{8192};
  bool hung_up_ = false;
  std::string end_;
  balance::blame::Phase phase_ = balance::blame::Phase::reach;
  status::Line connected_;
  Port port_ = 0;        // of the server
  std::string address_;  // empty: not reached yet
};
