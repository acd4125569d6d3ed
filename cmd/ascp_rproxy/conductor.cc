#include "conductor.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <sstream>

#include <fmt/core.h>

#include "base/await.h"
#include "base/decimal.h"
#include "base/env.h"
#include "base/failure.h"
#include "base/logging.h"
#include "base/paths.h"
#include "base/uuid.h"
#include "session/spool.h"
#include "who/asked_host.h"
#include "who/auth_info.h"

namespace {

constexpr std::chrono::seconds kOpenTime{56};  // its turn, the firewall's lock, iptables; asp-dial waits for 60 s
constexpr std::chrono::seconds kLeaveTime{6};  // asp-upstream needs 5; sudo may have a PAM session to close
constexpr std::chrono::seconds kRevoke{10};    // iptables; asp-pinhole goes on to wait for the firewall's lock
constexpr std::chrono::seconds kSameTime{2};   // by which asp-upstream is behind asp-pinhole
constexpr std::chrono::seconds kMaxDialing{24 * 3600};
constexpr char kEnded[] = "This proxy ended the session. Try again later.";

using SteadyClock = std::chrono::steady_clock;

double milliseconds_since(SteadyClock::time_point start) {
  return std::chrono::duration<double, std::milli>(SteadyClock::now() - start).count();
}

// The line as it came over the pipe, where it is escaped, without the newline.
std::string words_of(const status::Line& line) {
  const std::string text = line.text();
  return text.substr(0, text.size() - 1);
}

}  // namespace

Conductor::Conductor(session::Request request, std::vector<std::string> words, bool udp, bool by_name)
    : request_(std::move(request)),
      words_(std::move(words)),
      udp_(udp),
      by_name_(by_name),
      session_(uuid::random()),
      started_(std::chrono::steady_clock::now()) {
  const std::string key = auth_info::of_this_session();
  logging::set_context("session=" + session_);
  identity_ = fmt::format("session={} user={} key={} client={} proxy={}", session_, logging::field(request_.user),
                          key.empty() ? "-" : key, request_.client.text(), request_.proxy.text());
}

int Conductor::conduct() {
  logging::event("Received connection request from {} {} command={}", request_.client.ip.text(), identity_,
                 logging::escape(request_.command));
  try {
    start();
  } catch (const tool::Failure& failure) {
    if (!is_no_failure(failure)) throw failure.with_identity(identity_);
    if (!failure.logged())
      logging::event("{} {} (exit {})", logging::told(failure.what()), identity_, static_cast<int>(failure.code()));
    throw failure.as_logged();
  }
  const int status = watch();
  close_pinhole();
  log_end(lost_ ? lost_->what() : "EOF");
  if (!lost_) return status;
  throw lost_->as_logged(lost_->logged() || is_no_failure(*lost_)).with_identity(identity_);
}

// The client left, or somebody ended the session. A line of LOG says it.
bool Conductor::is_no_failure(const tool::Failure& end) const { return end.code() == tool::io || ended_by_somebody_; }

void Conductor::start() {
  session::spool::check_admission();
  if (by_name_) find_name();
  // The dialer is started first: it has more to do, and the pinhole is verified meanwhile.
  const Record asked = session::Asked{session_, request_}.to_record();
  dialer_.emplace(asked);
  if (udp_) holder_.emplace(asked);
  connect();
  if (udp_) open_pinhole();
  tell_of_slow_sudo();
  dialer_->run();
  logging::debug1("Command told to run after {:.0f} ms in all", milliseconds_since(started_));
  close_stdio();
}

// The name is only peeked at: asp-dial reads every byte of it.
void Conductor::find_name() {
  const auto start = SteadyClock::now();
  request_.domain = asked_host::find(words_);
  const std::string name = request_.domain ? request_.domain->text() : "-";
  logging::debug1("The client asks for {}, known after {:.0f} ms", name, milliseconds_since(start));
  identity_ += " domain=" + name;
}

// asp-upstream tells which server it is; when a server fails, it tries the next.
void Conductor::connect() {
  const auto start = SteadyClock::now();
  auto connected_by = Deadline::never();
  for (;;) {
    const auto line = dialer_->next();
    if (!line && dialer_->hung_up())
      throw tool::Failure(tool::os, fmt::format("asp-upstream died: {}", dialer_->complaint()));
    if (!line) {
      await::On dialer(dialer_->fd()), signal(signals_.fd()), holder(holder_ ? holder_->fd() : -1);
      await::any(std::min(first_words(), connected_by), dialer, signal, holder);
      if (signal) throw ended_by_signal();
      if (holder) hear_verified();
      if (connected_by.over())
        throw tool::Failure(tool::os, "gave up on asp-upstream, which took longer than all servers together may");
      if (dialer_->overdue()) never_started("asp-upstream", *dialer_);
      if (holder_ && holder_->overdue()) never_started("asp-pinhole", *holder_);
      continue;
    }
    logging::debug2("asp-upstream: {}", words_of(*line));
    if (line->event == "connected") return note_server(*line, start);
    const auto within = parse_decimal(line->get("within"), 1, kMaxDialing.count());
    if (line->event == "verified" && within) connected_by = Deadline::in(std::chrono::seconds(*within));
    if (line->event == "failed") throw status::failure_of(*line);
  }
}

// The time when one of the two is overdue; never, once both have answered.
Deadline Conductor::first_words() const {
  return std::min(dialer_->first_word(), holder_ ? holder_->first_word() : Deadline::never());
}

void Conductor::never_started(const char* helper, session::Privileged& silent) {
  throw tool::Failure(tool::os,
                      fmt::format("{}, which sudo starts, has not answered within {} s: {}; asperaproxy check tries it",
                                  helper, session::Privileged::kFirstLineTime.count(), silent.complaint()));
}

void Conductor::note_server(const status::Line& connected, SteadyClock::time_point start) {
  host_ = connected.get("host");
  host_address_ = connected.get("address");
  logging::debug1("Server {} at {}: connected after {:.0f} ms (connect {}, handshake {}, login {})", host_,
                  host_address_, milliseconds_since(start), connected.get("connect_ms"), connected.get("handshake_ms"),
                  connected.get("login_ms"));
  identity_ += fmt::format(" rule={} server={} upstream_user={}", connected.get("rule"), host_,
                           logging::field(connected.get("upstream_user")));
  logging::event("Established SSH connection with server {} {}{}", host_, identity_,
                 connected.get("reused") == "true" ? " reused=true" : "");
}

// Without a pinhole there is no need to wait for a server.
void Conductor::hear_verified() {
  if (const auto line = holder_->next()) check_pinhole(*line, "verified");
  else if (holder_->hung_up()) pinhole_lost("verified");
}

void Conductor::check_pinhole(const status::Line& line, const char* event) {
  logging::debug2("asp-pinhole: {}", words_of(line));
  if (line.event == "closed") {
    if (const auto why = why_closed(line.get("reason"))) throw *why;
  }
  if (line.event != event) {
    const auto refused = status::failure_of(line, fmt::format("asp-pinhole {}: ", line.event));
    if (!refused.logged()) hear_same_of_upstream();
    throw refused;
  }
  verified_ = true;
}

// If asp-pinhole did not log a failure, asp-upstream usually meets the same one at the same time, and logs it.
void Conductor::hear_same_of_upstream() {
  const auto patience = Deadline::in(kSameTime);
  while (const auto line = dialer_->await(patience)) {
    if (line->event == "failed") throw status::failure_of(*line);
  }
}

void Conductor::pinhole_lost(const char* event) {
  const std::string how = holder_->hung_up() ? "died" : fmt::format("did not answer '{}' in time", event);
  throw tool::Failure(tool::os, fmt::format("asp-pinhole {}: {}", how, holder_->complaint()));
}

void Conductor::tell_of_slow_sudo() const {
  constexpr std::chrono::seconds kSlow{3};
  const auto after =
      std::max(dialer_->first_word_after(), holder_ ? holder_->first_word_after() : std::chrono::milliseconds(0));
  if (after < kSlow) return;
  logging::event("Slow: sudo took {:.1f} s to start a helper {}; is the host busy, or does sudo wait for name servers, "
                 "PAM or syslog? asperaproxy check tries it",
                 std::chrono::duration<double>(after).count(), identity_);
}

// The rule is in force before the command starts, so that no packet of the command can come too early.
void Conductor::open_pinhole() {
  const auto expect = [&](const char* event, const Deadline& deadline) {
    const auto start = SteadyClock::now();
    const auto line = await_pinhole(deadline);
    logging::debug1("asp-pinhole: {} after {:.0f} ms more", line ? line->event : "nothing", milliseconds_since(start));
    if (line) return check_pinhole(*line, event);
    // asp-upstream waits only for the command, so it speaks only to report a failure.
    if (const auto lost = dialer_->next(); lost || dialer_->hung_up()) {
      if (!lost) throw tool::Failure(tool::os, fmt::format("asp-upstream died: {}", dialer_->complaint()));
      throw status::failure_of(*lost, fmt::format("server {}: ", host_));
    }
    if (holder_->overdue()) never_started("asp-pinhole", *holder_);
    pinhole_lost(event);
  };
  if (!verified_) expect("verified", holder_->first_word());
  holder_->choose(host_, host_address_);
  expect("open", Deadline::in(kOpenTime));
}

// Absent: it hung up or is silent, or asp-upstream says something.
std::optional<status::Line> Conductor::await_pinhole(const Deadline& deadline) {
  for (;;) {
    if (auto line = holder_->next()) return line;
    if (holder_->hung_up()) return std::nullopt;
    await::On holder(holder_->fd()), dialer(dialer_->fd()), signal(signals_.fd());
    await::any(deadline, holder, dialer, signal);
    if (signal) throw ended_by_signal();
    if (!holder) return std::nullopt;
  }
}

// asp-upstream has the session's descriptors now. Ours would keep sshd from seeing
// that the remote command closed its output.
void Conductor::close_stdio() const {
  const Fd null = fd::open("/dev/null", O_RDWR);
  ::dup2(null.get(), STDIN_FILENO);
  ::dup2(null.get(), STDOUT_FILENO);
}

int Conductor::watch() {
  for (;;) {
    await::On dialer(dialer_->fd()), signal(signals_.fd()), holder(holder_ ? holder_->fd() : -1);
    await::any(leave_by_, dialer, signal, holder);
    if (leave_by_.over()) {
      logging::error("sudo has not ended {} s after asp-upstream; does PAM hang when it closes a session? session={}",
                     kLeaveTime.count(), session_);
      return ended_->exit_code();
    }
    if (signal) lose(ended_by_signal());  // first: the command may have ended by what came after it
    if (dialer && !lost_) {
      hear_dialer();
      if (dialer_->hung_up()) {
        const auto status = dialer_->wait(kLeaveTime);
        logging::debug1("asp-upstream ended with {}", status ? std::to_string(*status) : "nothing");
        if (!ended_ && !lost_)
          lost_.emplace(tool::os, fmt::format("asp-upstream died ({}): {}", child::describe(status.value_or(-1)),
                                              dialer_->complaint()));
        return ended_ ? ended_->exit_code() : lost_->code();
      }
    }
    if (holder && !lost_ && !hear_pinhole() && !lost_ && !ended_) {
      // Without its holder the rule would outlive the session.
      lost_.emplace(tool::os, fmt::format("asp-pinhole died: {}; asp-reap will clear its rule", holder_->complaint()));
    }
    if (lost_) {
      dialer_->hang_up();
      dialer_->wait(kLeaveTime);
      return lost_->code();
    }
  }
}

// The kernel sends SIGHUP when the terminal is gone, since its client has left.
tool::Failure Conductor::ended_by_signal() {
  const auto caught = signals_.take();
  if (caught && caught->number == SIGHUP && !caught->from_process) return {tool::io, "client hung up"};
  ended_by_somebody_ = true;
  return {tool::temporary, fmt::format("ended by SIG{}", ::sigabbrev_np(caught ? caught->number : SIGTERM)), kEnded};
}

void Conductor::hear_dialer() {
  while (const auto line = dialer_->next()) {
    logging::debug2("asp-upstream: {}", words_of(*line));
    if (line->event == "ended") {
      ended_ = upstream::End::from_line(*line);
      leave_by_ = Deadline::in(kLeaveTime);
    }
    // All output is written. The rule is revoked while the dialer says goodbye.
    if (ended_ && holder_) holder_->release();
    if (line->event == "failed" && !lost_) lose(status::failure_of(*line));
  }
}

// Absent: nothing that concerns us ended it.
std::optional<tool::Failure> Conductor::why_closed(const std::string& reason) {
  if (reason == "SIGTERM") {
    ended_by_somebody_ = true;
    return tool::Failure(tool::temporary, "ended by an administrator",
                         "An administrator of this proxy ended the session.");
  }
  if (reason == "sudo ended") return tool::Failure(tool::os, "sudo died, or its command_timeout was over");
  if (reason.starts_with("SSH ") && reason.ends_with(" ended")) return tool::Failure(tool::io, "client hung up");
  if (reason.starts_with("SSH connection")) return tool::Failure(tool::temporary, reason, kEnded).as_logged();
  return std::nullopt;
}

// False when the holder has closed the pinhole, or is gone.
bool Conductor::hear_pinhole() {
  while (const auto line = holder_->next()) {
    logging::debug2("asp-pinhole: {}", words_of(*line));
    if (line->event == "flow") {
      flow_ = fmt::format(" udp_client={} udp_server={}", line->get("client"), line->get("server"));
      logging::event("Setup UDP forwarding between {} and {} {}", line->get("client"), line->get("server"), identity_);
    } else if (line->event == "closed") {
      closed_ = line->get("reason") != "error";  // of which the next line tells
      if (const auto why = why_closed(line->get("reason"))) lose(*why);
      if (!line->get("bytes").empty())
        counters_ = fmt::format(" bytes={} packets={}", line->get("bytes"), line->get("packets"));
    } else if (line->event == "refused") {
      closed_ = true;
      if (!lost_) lose(status::failure_of(*line));
    } else {
      logging::error("asp-pinhole: {} session={}", words_of(*line), session_);
    }
  }
  return !closed_ && !holder_->hung_up();
}

void Conductor::lose(const tool::Failure& why) {
  if (!ended_) lost_ = why;
}

void Conductor::close_pinhole() {
  if (!holder_) return;
  const bool told = lost_ && holder_->hung_up();
  holder_->release();
  const auto deadline = Deadline::in(kRevoke);
  while (hear_pinhole() && !deadline.over()) await::readable(holder_->fd(), deadline);
  if (holder_->hung_up()) holder_->wait(kLeaveTime);
  if (closed_ || told) return;
  if (holder_->hung_up())
    logging::error("asp-pinhole died before it closed the rule of session={}; asp-reap will do it", session_);
  else logging::error("asp-pinhole is slow to revoke session={}; asp-reap will do it", session_);
}

void Conductor::log_end(const std::string& why) const {
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
  logging::event("Connection closed ({}) {}{} seconds={:.1f}{}", logging::told(why), identity_, flow_, seconds,
                 counters_);
}
