// base/await: waits for several descriptors, each with a name.
//
//   await::On in(STDIN_FILENO), signal(signals.fd());
//   if (!await::any(deadline, in, signal)) …  // neither, until the deadline
//   if (signal) …
#pragma once

#include <poll.h>

#include <span>

#include "base/deadline.h"

namespace await {

// The events to wait for on one descriptor, and those that any() found.
class On {
 public:
  // `events` as poll(2) has them. A negative descriptor is never ready.
  explicit On(int fd, short events = POLLIN) : poll_{fd, events, 0} {}

  // True if it is readable, or has another requested event; or its other end is gone.
  explicit operator bool() const { return poll_.revents != 0; }
  bool has(short events) const { return (poll_.revents & events) != 0; }
  bool gone() const { return has(POLLHUP | POLLERR | POLLNVAL); }

 private:
  friend bool any(const Deadline& deadline, std::span<On> watched);
  pollfd poll_;
};

// Waits until there is an event on one of them; false: not until `deadline`. It checks them even when
// the deadline is over, so that a busy caller misses nothing. A loop that others could keep turning
// has to check deadline.over() itself. A signal does not end it. Failure{71}.
bool any(const Deadline& deadline, std::span<On> watched);

template <typename... Each>
bool any(const Deadline& deadline, On& first, Each&... others) {
  On all[] = {first, others...};
  const bool found = any(deadline, std::span<On>(all));
  const On* next = all;
  ((first = *next++), ..., (others = *next++));
  return found;
}

inline bool readable(int fd, const Deadline& deadline) {
  On one(fd);
  return any(deadline, one);
}

inline bool writable(int fd, const Deadline& deadline) {
  On one(fd, POLLOUT);
  return any(deadline, one);
}

}  // namespace await
