#include "lifeline.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>

#include "base/failure.h"
#include "base/logging.h"
#include "report.h"

Life::Life() {
  sigset_t ending;
  sigemptyset(&ending);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&ending, number);
  if (::sigprocmask(SIG_BLOCK, &ending, nullptr) != 0) tool::fail_errno(tool::os, "sigprocmask");
  if (::prctl(PR_SET_PDEATHSIG, SIGHUP) != 0) tool::fail_errno(tool::os, "prctl");
  signals_ = Fd(::signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) tool::fail_errno(tool::os, "signalfd");
}

std::optional<Record> Life::next_record() {
  while (records_.empty() && wait(-1, std::chrono::milliseconds(-1)) != Woken::by_end) {
  }
  if (records_.empty()) return std::nullopt;
  Record record = std::move(records_.front());
  records_.pop_front();
  return record;
}

void Life::detach() {
  attached_ = false;
  caller_ = nullptr;
  reason_.clear();
}

Life::Woken Life::wait(int watch_fd, std::chrono::milliseconds timeout) {
  if (ended()) return Woken::by_end;
  pollfd fds[] = {
      {attached_ ? STDIN_FILENO : -1, POLLIN, 0},         {signals_.get(), POLLIN, 0},
      {caller_ ? caller_->session.get() : -1, POLLIN, 0}, {caller_ ? caller_->connection.get() : -1, POLLIN, 0},
      {caller_ ? caller_->monitor.get() : -1, POLLIN, 0}, {watch_fd, POLLIN, 0}};
  const int ready = ::poll(fds, std::size(fds), static_cast<int>(timeout.count()));
  if (ready < 0 && errno != EINTR) tool::fail_errno(tool::os, "poll");
  if (ready <= 0) return Woken::by_time;
  if (fds[1].revents) read_signal();
  else if (fds[2].revents) reason_ = "session process ended";
  else if (fds[3].revents) reason_ = "SSH connection ended";
  else if (fds[4].revents) reason_ = "SSH session's monitor ended";
  else if (fds[0].revents) read_stdin();
  if (ended()) return Woken::by_end;
  return fds[5].revents ? Woken::by_watch : Woken::by_time;
}

void Life::read_signal() {
  signalfd_siginfo signal{};
  const bool got = ::read(signals_.get(), &signal, sizeof signal) == sizeof signal;
  reason_ = got && signal.ssi_signo == SIGHUP ? "sudo ended" : "SIGTERM";
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
