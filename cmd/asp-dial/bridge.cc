#include "bridge.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/core.h>

#include "base/await.h"
#include "base/failure.h"

namespace {

using std::chrono::milliseconds;

constexpr std::size_t kChunk = 128 * 1024;

// Both outputs share one window, so taking bytes for stderr lets the server send more for a blocked
// stdout. Beyond this limit the connection is neither read nor written: libssh cannot write without
// reading.
constexpr std::size_t kMaxHeld = 8 * 1024 * 1024;

// EOF of output and the end of the command mostly come together. Only if they do not is stdout closed
// before we exit, because everyone who holds a socket notices that it is closed.
constexpr milliseconds kCloseAfter{100};

}  // namespace

struct Bridge::Ready {
  await::On session, in, out, err, control, signal;
};

Bridge::Bridge(upstream::Session& session, upstream::Command& command, const Terminal& terminal, int control_fd,
               std::chrono::seconds silence)
    : session_(session),
      command_(command),
      terminal_(terminal),
      control_(control_fd),
      out_(STDOUT_FILENO),
      err_(STDERR_FILENO),
      silence_(silence) {}

upstream::End Bridge::run() {
  for (;;) {
    pump_downstream();
    if (!is_paused()) pump_upstream();
    if (finished()) break;
    if (lost_) {
      throw tool::Failure(tool::unavailable,
                          fmt::format("connection to {} lost: {}", session_.address().text(), session_.lost_reason()));
    }
    handle(sleep());
    watch_silence();
  }
  if (command_.end()) return *command_.end();
  throw tool::Failure(tool::unavailable,
                      fmt::format("command at {}: channel closed without exit status", session_.address().text()));
}

bool Bridge::finished() const { return command_.closed() && held() == 0 && out_.empty() && err_.empty(); }

void Bridge::pass_on(upstream::Output from, Outlet& to) {
  do {
    if (to.empty()) to.hold(command_.take(from));
    if (!to.flush()) lose_reader(from);
  } while (to.empty() && command_.held(from) != 0);
}

// A lost stdout means that the client is gone. If only stderr is lost, its bytes are dropped.
void Bridge::lose_reader(upstream::Output of) {
  if (of == upstream::Output::out || !out_.open()) throw tool::Failure(tool::io, "client hung up");
  err_.close();
}

void Bridge::pump_downstream() {
  pass_on(upstream::Output::out, out_);
  pass_on(upstream::Output::err, err_);
  close_drained_output();
}

void Bridge::close_drained_output() {
  const bool drained = command_.at_eof() && out_.empty() && command_.held(upstream::Output::out) == 0;
  if (!out_.open() || !drained || command_.closed()) return;
  if (drained_ == Clock::time_point{}) drained_ = Clock::now();
  if (Clock::now() - drained_ >= kCloseAfter) out_.close();
}

void Bridge::pump_upstream() {
  while (!pending_.empty()) {
    const std::size_t taken = command_.put(pending_);
    if (taken == 0) return;
    pending_.erase(0, taken);
  }
  if (!stdin_open_ && !eof_sent_) {
    command_.send_eof();
    eof_sent_ = true;
  }
}

std::size_t Bridge::held() const { return command_.held(upstream::Output::out) + command_.held(upstream::Output::err); }

// True if the connection is not to be read. Once the command's channel is closed the server no longer
// influences how this ends.
bool Bridge::is_paused() const { return command_.closed() || held() > kMaxHeld; }

// The next time for watch_silence and close_drained_output.
Deadline Bridge::next_look() const {
  auto when = std::min(std::max(heard_, asked_) + silence_, heard_ + 3 * silence_);
  if (out_.open() && drained_ != Clock::time_point{}) when = std::min(when, drained_ + kCloseAfter);
  return Deadline::at(when);
}

// A descriptor that is ready although we cannot act on it is left out (-1); otherwise poll would never
// sleep.
Bridge::Ready Bridge::sleep() const {
  const bool read_more = stdin_open_ && pending_.empty() && !command_.closed();
  const auto output = [](const Outlet& outlet) {
    return await::On(outlet.open() ? outlet.fd() : -1, static_cast<short>(outlet.empty() ? 0 : POLLOUT));
  };
  Ready ready{await::On(is_paused() ? -1 : session_.fd(), session_.events()),
              await::On(read_more ? STDIN_FILENO : -1),
              output(out_),
              output(err_),
              await::On(control_),
              await::On(signals_.fd())};
  await::any(next_look(), ready.session, ready.in, ready.out, ready.err, ready.control, ready.signal);
  return ready;
}

void Bridge::handle(const Ready& ready) {
  if (ready.signal) read_signal();
  if (ready.control) read_control();
  if (ready.out.gone()) lose_reader(upstream::Output::out);
  if (ready.err.gone()) lose_reader(upstream::Output::err);
  if (ready.session) read_session();
  if (ready.in) read_stdin();
}

void Bridge::read_session() {
  heard_ = Clock::now();
  const bool connected = session_.process();
  lost_ = !connected && !command_.closed();
  if (!command_.closed()) return;
  command_.fetch(upstream::Output::out);
  command_.fetch(upstream::Output::err);
}

void Bridge::read_stdin() {
  pending_.resize(kChunk);
  const ssize_t got = ::read(STDIN_FILENO, pending_.data(), pending_.size());
  const int error = errno;
  pending_.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (got > 0 || (got < 0 && (error == EINTR || error == EAGAIN))) return;
  // A socket or terminal whose other end is gone fails instead of ending; stdout tells that the client is
  // gone.
  if (got < 0 && error != ECONNRESET && error != EIO) {
    throw tool::Failure(tool::io, fmt::format("read stdin: {}", std::strerror(error)));
  }
  stdin_open_ = false;
}

// The conductor sends nothing more; when it ends, we end.
void Bridge::read_control() {
  char ignored[256];
  const ssize_t got = ::read(control_, ignored, sizeof ignored);
  if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) {
    throw tool::Failure(tool::temporary, "control descriptor hung up");
  }
}

void Bridge::read_signal() {
  const auto caught = signals_.take();
  if (!caught) return;
  if (caught->number != SIGWINCH) signals::end_by(caught->number);
  if (terminal_ && !command_.closed()) command_.resize(terminal_.size());
}

void Bridge::watch_silence() {
  const auto now = Clock::now();
  if (is_paused()) heard_ = now;
  if (now - heard_ >= 3 * silence_) {
    throw tool::Failure(tool::unavailable, fmt::format("connection to {} lost: no sign of life for {} s",
                                                       session_.address().text(), 3 * silence_.count()));
  }
  if (now - std::max(heard_, asked_) < silence_) return;
  asked_ = now;
  session_.send_keepalive();
}
