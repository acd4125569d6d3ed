// conductor: runs one session in the order of events that keeps it safe.
//
//   route ─▶ pinhole verified ∥ server connected ─▶ rule in force ─▶ command
//   runs ─▶ (bytes flow without us) ─▶ command ends ─▶ rule and flows gone
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/failure.h"
#include "base/signals.h"
#include "base/status.h"
#include "session/dialer.h"
#include "session/holder.h"
#include "session/request.h"
#include "ssh/upstream_command.h"

class Conductor {
 public:
  // `words` is the command; `udp` says whether it needs a pinhole; `by_name` whether its route depends on the
  // name that the client asked for.
  Conductor(session::Request request, std::vector<std::string> words, bool udp, bool by_name);

  // Runs the session to its end. Returns the remote command's status; throws Failure when the command never
  // ran.
  int conduct();

 private:
  void start();
  void find_name();
  void connect();
  Deadline first_words() const;
  [[noreturn]] static void never_started(const char* helper, session::Privileged& silent);
  void note_server(const status::Line& connected, std::chrono::steady_clock::time_point start);
  void hear_verified();
  void check_pinhole(const status::Line& line, const char* event);
  void hear_same_of_upstream();
  [[noreturn]] void pinhole_lost(const char* event);
  void open_pinhole();
  void tell_of_slow_sudo() const;
  void close_stdio() const;
  // Returns the exit status that the session ended with.
  int watch();
  // Until a helper that has said its last word may take its leave; -1: none has.
  void hear_dialer();
  bool hear_pinhole();
  std::optional<tool::Failure> why_closed(const std::string& reason);
  tool::Failure ended_by_signal();
  std::optional<status::Line> await_pinhole(const Deadline& deadline);
  // The session ends for that reason, unless its command is over: then its user gets the command's status.
  void lose(const tool::Failure& why);
  bool is_no_failure(const tool::Failure& end) const;
  void close_pinhole();
  void log_end(const std::string& why) const;

  session::Request request_;
  const std::vector<std::string> words_;
  const bool udp_;
  const bool by_name_;
  const std::string session_;
  const std::chrono::steady_clock::time_point started_;
  Signals signals_{SIGTERM, SIGHUP, SIGINT};  // end the session in order, as EOF does
  std::optional<session::Holder> holder_;
  std::optional<session::Dialer> dialer_;
  bool verified_ = false;               // asp-pinhole has accepted us
  std::optional<upstream::End> ended_;  // how the command ended, as asp-upstream reported it
  // sudo has our end of the link, too. If it waits for asp-upstream instead of becoming it, PAM may keep it
  // when everything is over. Never, as long as the command runs.
  Deadline leave_by_ = Deadline::never();
  bool closed_ = false;                // asp-pinhole has closed the pinhole
  std::optional<tool::Failure> lost_;  // why the connection broke while the command ran
  bool ended_by_somebody_ = false;     // by an administrator, or a signal
  std::string host_;                   // as the route writes it
  std::string host_address_;
  // Text for the log: who and where; the flow and its size once known.
  std::string identity_;
  std::string flow_;
  std::string counters_;
};
