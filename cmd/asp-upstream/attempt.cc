#include "attempt.h"

#include <fcntl.h>
#include <signal.h>

#include <chrono>

#include <fmt/core.h>

#include "base/env.h"
#include "base/logging.h"
#include "base/passing.h"
#include "base/record.h"
#include "session/dial_program.h"
#include "ssh/upstream_command.h"

namespace {

using std::chrono::seconds;

constexpr int kLock = 5;                         // of asp-dial: its lock as a keeper
constexpr std::chrono::milliseconds kLook{250};  // how often to look for marks of other sessions
constexpr seconds kGrace{25};                    // for all time limits of asp-dial beyond that for connecting
constexpr seconds kGoodbyeTime{5};               // to say goodbye to the server
constexpr seconds kReuseTime{2};                 // for a kept connection to show that it lives

child::Child start(const session::DialProgram& dial) {
  logging::debug2("Runs: {}", logging::escape(upstream::shell_command(dial.argv)));
  return dial.start();
}

}  // namespace

seconds Attempt::longest(const session::Route& route) {
  constexpr seconds kBesides{10};  // marks of other nodes, the key
  return kBesides + static_cast<int>(route.hosts.size()) *
                        (kReuseTime + kOthersTime + kQuick + kSoon + route.connect_timeout + kGrace);
}

Attempt Attempt::dial(const Errand& errand, const HostPort& host) {
  Attempt attempt(errand.route.connect_timeout + kGrace, errand.route.connect_timeout);
  attempt.port_ = host.port;
  auto control = fd::socket_pair();
  session::DialProgram dial(errand.route, errand.family, host, errand.key, "-C", control.write.get());
  dial.argv.push_back("--");
  dial.argv.insert(dial.argv.end(), errand.words.begin(), errand.words.end());
  for (int fd = 0; fd < 3; ++fd)
    dial.mapping.emplace_back(errand.descriptors.at(static_cast<std::size_t>(fd)).get(), fd);
  attempt.child_ = start(dial);
  attempt.control_ = std::move(control.read);
  fd::set_nonblocking(attempt.control_.get());
  return attempt;
}

// asp-dial gets its first session as it gets later ones. It must keep nothing of this session except
// the three descriptors that come with it.
Attempt Attempt::dial_and_keep(const Errand& errand, const HostPort& host, session::keepers::Place place) {
  Attempt attempt(errand.route.connect_timeout + kGrace, errand.route.connect_timeout);
  attempt.port_ = host.port;
  const Fd null = fd::open("/dev/null", O_RDWR);
  session::DialProgram dial(errand.route, errand.family, host, errand.key, "-R", place.listener());
  dial.outlives_us = true;
  dial.mapping.insert(dial.mapping.end(), {{place.lock(), kLock}, {null.get(), 0}, {null.get(), 1}, {null.get(), 2}});
  child::Child keeper = start(dial);
  attempt.hand_session(errand, place.open(keeper.pid()));
  keeper.release();
  return attempt;
}

Attempt Attempt::reuse(const Errand& errand, session::keepers::Hold hold) {
  Attempt attempt(kReuseTime, kReuseTime);
  attempt.address_ = hold.address;
  attempt.hand_session(errand, std::move(hold));
  return attempt;
}

void Attempt::hand_session(const Errand& errand, session::keepers::Hold hold) {
  Record visit;
  visit.add("command", upstream::shell_command(errand.words));
  if (const auto term = env::get("TERM")) visit.add("term", *term);
  std::vector<int> descriptors;
  for (const auto& each : errand.descriptors) descriptors.push_back(each.get());
  passing::send_all(hold.socket.get(), visit.text(), descriptors);
  control_ = std::move(hold.socket);
  hold_ = std::move(hold);
}

void Attempt::discard() {
  if (hold_) session::keepers::discard(*hold_);
}

std::optional<status::Line> Attempt::next() {
  auto line = lines_.pop();
  if (!line && !hung_up_) {
    hung_up_ = !lines_.fill(control_.get());
    line = lines_.pop();
  }
  if (!line) return std::nullopt;
  return status::parse(*line);
}

Attempt::Trouble Attempt::trouble(tool::Exit code, const std::string& reason, bool of_client) const {
  auto verdict = balance::blame::judge({phase_, code, of_client, !quickly_.over()});
  tool::Failure failure(code, reason, verdict.told);
  return {std::move(failure), std::move(verdict)};
}

std::optional<Attempt::Trouble> Attempt::await_connected(balance::Choice& choice, ConductorLink& link) {
  using balance::blame::Phase;
  const auto deadline = Deadline::in(patience_);
  for (;;) {
    while (const auto line = next()) {
      if (line->event == "failed")
        return trouble(status::failure_code(*line), line->get("reason"), line->get("fault") == "client");
      if (line->event == "silent" && !choice.waits_though_silent())
        return trouble(tool::unavailable, "it does not answer, and another session waits for it");
      if (line->event == "reached") note_reached(*line);
      if (line->event == "verified") phase_ = Phase::login;
      if (line->event != "connected") continue;
      if (address_.empty()) return trouble(tool::internal, "asp-dial does not say where it is connected to");
      phase_ = Phase::run;
      connected_ = *line;
      return std::nullopt;
    }
    if (hung_up_) return trouble(tool::internal, "asp-dial died: " + cause_of_death());
    link.wait(control_.get(), Deadline::in(kLook));
    if (link.ended()) {
      choice.abandon();
      throw link.end();
    }
    if (deadline.over()) return trouble(tool::internal, "asp-dial does not answer");
    if (choice.given_up_by_others()) return trouble(tool::unavailable, "another session found it faulty");
  }
}

// The first such line counts.
void Attempt::note_reached(const status::Line& line) {
  phase_ = balance::blame::Phase::handshake;
  const auto address = Endpoint::parse(line.get("address"));
  if (!address_.empty() || !address || address->port != port_) return;
  address_ = address->text();
  if (hold_) session::keepers::note_address(*hold_, address_);
}

void Attempt::note_end(const status::Line& line) {
  if (line.event == "failed") {
    status_ = status::failure_code(line);
    end_ = line.get("reason");
  } else if (line.event == "ended") {
    status_ = upstream::End::from_line(line).exit_code();
    end_ = "EOF";
  }
}

// asp-dial's words, and with a failure what the user reads.
status::Line Attempt::for_conductor(const status::Line& line) const {
  if (line.event != "failed") return line;
  const auto known = trouble(status::failure_code(line), line.get("reason"));
  return status::failed(known.failure);
}

int Attempt::wait_for_end() {
  // Its last word is how the session ended, unless it was killed.
  if (end_.empty()) throw tool::Failure(tool::internal, "asp-dial died: " + cause_of_death());
  const int status = child_ ? child_.wait_for(kGoodbyeTime) : status_;
  if (status == 128 + SIGSYS) throw tool::Failure(tool::internal, "asp-dial died: " + child::describe(status));
  return status;
}

std::string Attempt::cause_of_death() {
  return child_ ? child::describe(child_.wait_for(kGoodbyeTime)) : "it served earlier sessions";
}

int Attempt::relay(ConductorLink& link) {
  bool told_to_run = false;
  while (!hung_up_) {
    while (const auto line = next()) {
      note_end(*line);
      link.say(for_conductor(*line));
    }
    if (hung_up_) break;
    link.wait(control_.get(), Deadline::never());
    while (const auto line = link.next()) {
      if (told_to_run || *line != "run") throw tool::Failure(tool::bad_input, "expected 'run', once");
      told_to_run = true;
      io::write_all(control_.get(), "run\n");
    }
    if (!link.ended()) continue;
    if (end_.empty()) {
      end_ = link.end().what();
      link.say(status::failed(link.end()));
    }
    // Without its control asp-dial ends the remote command and says goodbye.
    control_.reset();
    return wait_for_end();
  }
  return wait_for_end();
}
