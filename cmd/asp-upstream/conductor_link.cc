#include "conductor_link.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "base/await.h"
#include "base/failure.h"
#include "base/logging.h"
#include "base/passing.h"
#include "base/pidfd.h"

namespace {

constexpr std::size_t kStandardDescriptors = 3;  // stdin, stdout, stderr
constexpr int kPatienceSeconds = 10;
constexpr std::size_t kMaxTotalBytes = Record::kMaxBytes + sizeof "run";

}  // namespace

// sudo, our parent, passes no SIGKILL on, so its death is watched for. (PR_SET_PDEATHSIG would not do:
// the kernel forgets it when we read a key as the user.)
ConductorLink::ConductorLink() : sudo_(pidfd::open(::getppid())) {}

void ConductorLink::require_socket() {
  struct stat status {};
  if (::fstat(STDIN_FILENO, &status) != 0 || !S_ISSOCK(status.st_mode)) {
    throw tool::Failure(tool::not_permitted, "stdin must be one end of a Unix socket; sudo puts something else there "
                                             "to log it, or for a terminal (log_input, use_pty)");
  }
  verified_ = true;
}

std::optional<Record> ConductorLink::await_record() {
  const auto deadline = Deadline::in(std::chrono::seconds(kPatienceSeconds));
  record::Parser parser;
  for (;;) {
    while (const auto line = lines_.pop()) {
      auto record = parser.add(*line);
      if (!record) continue;
      if (descriptors_.size() != kStandardDescriptors)
        throw tool::Failure(tool::bad_input, "three descriptors are needed");
      return record;
    }
    if (ended()) return std::nullopt;
    if (deadline.over()) throw tool::Failure(tool::temporary, "no request came within 10 s");
    wait(-1, deadline);
  }
}

void ConductorLink::say(const status::Line& line) {
  if (!verified_) return;
  const std::string text = line.text();
  const ssize_t sent = ::send(STDIN_FILENO, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) hear_end();
  else if (sent != static_cast<ssize_t>(text.size())) end_by(tool::temporary, "ascp_rproxy does not listen any more");
}

bool ConductorLink::wait(int other_fd, const Deadline& deadline) {
  await::On other(other_fd), conductor(ended() ? -1 : STDIN_FILENO), signal(signals_.fd()), sudo(sudo_.get()),
      session(caller_ ? caller_->session.get() : -1), connection(caller_ ? caller_->connection.get() : -1),
      monitor(caller_ ? caller_->monitor.get() : -1);
  await::any(vigil_ ? std::min(deadline, vigil_->due()) : deadline, other, conductor, signal, sudo, session, connection,
             monitor);
  // If several things happen at once, the client's leaving has caused the others.
  if (connection || monitor) end_by(tool::io, "client hung up");
  if (session) end_by_death();
  if (conductor) hear();
  if (sudo) end_by(tool::os, "sudo died, or its command_timeout was over");
  if (signal) end_by(tool::os, "asp-upstream was told to end, as sudo does when its command_timeout is over");
  const std::string why = vigil_ && !ended() ? vigil_->look() : "";
  if (!why.empty()) {
    logging::error("Ends the connection to the server of {}: {} session={}", logging::escape(caller_->user), why,
                   session_);
    end_by(tool::temporary, why.c_str());
    end_ = end_->as_logged();
  }
  return static_cast<bool>(other);
}

void ConductorLink::end_by(tool::Exit code, const char* why) {
  if (!end_) end_.emplace(code, why);
}

void ConductorLink::hear() {
  auto received = passing::receive(STDIN_FILENO, 4096, kStandardDescriptors);
  if (!received) return;
  if (received->bytes.empty()) return hear_end();
  received_ += received->bytes.size();
  if (received_ > kMaxTotalBytes) throw tool::Failure(tool::bad_input, "more came than a request and 'run'");
  if (!received->whole || !received->descriptors.empty()) {
    if (std::exchange(descriptors_came_, true) || received->descriptors.size() != kStandardDescriptors)
      throw tool::Failure(tool::bad_input, "three descriptors, once, are expected");
    descriptors_ = std::move(received->descriptors);
  }
  lines_.add(received->bytes);
}

// A conductor that hangs up has logged why. One that was killed closes its descriptors a moment before its process
// is seen to end.
void ConductorLink::hear_end() {
  if (end_) return;
  constexpr std::chrono::milliseconds kMoment{200};
  if (caller_ && await::readable(caller_->session.get(), Deadline::in(kMoment))) return end_by_death();
  end_by(tool::temporary, "the session ended");
  end_ = end_->as_logged();
}

void ConductorLink::end_by_death() {
  if (!end_) deserted_ = true;
  end_by(tool::os, "ascp_rproxy died");
}

std::optional<std::string> ConductorLink::next() { return lines_.pop(); }
