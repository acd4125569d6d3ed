#include "control.h"

#include <poll.h>

#include <cerrno>

namespace asp_cp {

void Control::attend(int fd, std::function<bool()> readable) {
  aside_ = fd;
  readable_ = std::move(readable);
}

void Control::send(const Record& message) {
  try {
    io::write_all(out_, message.text());
  } catch (const tool::Failure&) {
    throw Gone();
  }
}

std::optional<Record> Control::pop() {
  while (const auto line = lines_.pop()) {
    if (auto message = parser_.add(*line)) {
      look_at(*message);
      return message;
    }
  }
  return std::nullopt;
}

// One poll(2), one read(2): a stream that trickles cannot hold us longer.
void Control::wait_readable(std::chrono::milliseconds wait) {
  pollfd fds[2] = {{in_, POLLIN, 0}, {aside_, POLLIN, 0}};
  if (::poll(fds, 2, static_cast<int>(wait.count())) < 0 && errno != EINTR) tool::fail_errno(tool::os, "poll");
  if (fds[1].revents && !readable_()) aside_ = -1;
  if (fds[0].revents && !lines_.fill(in_)) throw Gone();
}

std::optional<Record> Control::receive(std::chrono::milliseconds wait) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + wait;
  for (;;) {
    if (auto message = pop()) return message;
    wait_readable(wait);
    if (auto message = pop()) return message;
    wait = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    if (wait.count() <= 0) return std::nullopt;
  }
}

}  // namespace asp_cp
