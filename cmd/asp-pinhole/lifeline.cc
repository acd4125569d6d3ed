#include "lifeline.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>

#include <fmt/core.h>

#include "base/await.h"
#include "base/failure.h"
#include "base/logging.h"
#include "report.h"

Life::Life() {
  if (::prctl(PR_SET_PDEATHSIG, SIGHUP) != 0) tool::fail_errno(tool::os, "prctl");
}

std::optional<Record> Life::next_record(std::chrono::seconds patience) {
  const auto deadline = Deadline::in(patience);
  while (records_.empty() && wait(-1, deadline) != Woken::by_end) {
    if (deadline.over() && records_.empty())
      throw tool::Failure(tool::temporary, fmt::format("no request came within {} s", patience.count()));
  }
  if (records_.empty()) return std::nullopt;
  Record record = std::move(records_.front());
  records_.pop_front();
  return record;
}

void Life::detach() {
  attached_ = false;
  caller_ = nullptr;
  vigil_.reset();
  reason_.clear();
}

Life::Woken Life::wait(int watch_fd, const Deadline& deadline) {
  if (ended()) return Woken::by_end;
  await::On input(attached_ ? STDIN_FILENO : -1), signal(signals_.fd()), session(caller_ ? caller_->session.get() : -1),
      connection(caller_ ? caller_->connection.get() : -1), monitor(caller_ ? caller_->monitor.get() : -1),
      watched(watch_fd);
  await::any(vigil_ ? std::min(deadline, vigil_->due()) : deadline, input, signal, session, connection, monitor,
             watched);
  if (signal) read_signal();
  else if (session) reason_ = "session process ended";
  else if (connection) reason_ = "SSH connection ended";
  else if (monitor) reason_ = "SSH session's monitor ended";
  else if (input) read_stdin();
  if (!ended() && vigil_) {
    reason_ = vigil_->look();
    deserted_ = ended();
  }
  if (ended()) return Woken::by_end;
  return watched ? Woken::by_watch : Woken::by_time;
}

bool Life::must_end() const {
  await::On signal(signals_.fd()), session(caller_ ? caller_->session.get() : -1),
      connection(caller_ ? caller_->connection.get() : -1);
  await::On input(attached_ ? STDIN_FILENO : -1, short{0});
  await::any(Deadline::now(), signal, session, connection, input);
  return signal || session || connection || input.gone();
}

void Life::read_signal() {
  const auto caught = signals_.take();
  reason_ = caught && caught->number == SIGHUP ? "sudo ended" : "SIGTERM";
}

void Life::read_stdin() {
  const Patience patience;
  if (!lines_.fill(STDIN_FILENO)) {
    reason_ = "EOF";
    return;
  }
  while (auto line = lines_.pop()) {
    if (received_ == kMaxRecords) throw tool::Failure(tool::bad_input, "nothing more is expected on stdin");
    if (!line->empty()) logging::debug2("Hears: {}", logging::escape(*line));
    if (auto record = parser_.add(*line)) {
      records_.push_back(std::move(*record));
      ++received_;
    }
  }
}
