// base/alarm: wakes a system call that would wait for ever and takes no time limit of its own, such as flock(2), or
// write(2) to a descriptor that somebody else has, too.
#pragma once

#include <chrono>

// While it lives, such a call ends with EINTR after `first`, and again each `then`: a signal (SIGALRM) may come just
// before the call. One at a time.
class Alarm {
 public:
  Alarm(std::chrono::milliseconds first, std::chrono::milliseconds then);
  ~Alarm();
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;
  // True from the first one on.
  bool rang() const;
};
