// base/fd: a file descriptor that closes itself, can only be moved, and is inherited by a program only
// if child::spawn maps it on purpose.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <utility>

#include "base/deadline.h"

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void reset();

 private:
  int fd_ = -1;
};

namespace fd {

struct Pair {
  Fd read;   // of a socket pair: the one end
  Fd write;  // of a socket pair: the other end
};

// All of these set close-on-exec and throw Failure{71}.
Pair pipe();
Pair socket_pair();  // AF_UNIX stream, both directions
Fd open(const std::string& path, int flags, unsigned mode = 0);

void set_nonblocking(int fd);

// Takes the exclusive lock (flock(2)) on the file at `path`, which `fd` is open on; waits at most 10 s
// (Failure{75}, which names the process that holds it), or until `deadline` is over. Failure{71}.
constexpr std::chrono::seconds kLockPatience{10};
void lock(int fd, const std::string& path, const Deadline& deadline = Deadline::in(kLockPatience));

// Does the same for a lock for which many stand in line, each for a moment: waits for 40 s in all, as long as none of
// them has it for 10 s. The file, open for reading and writing, has when it was taken last.
constexpr std::chrono::seconds kLinePatience{40};
void lock_in_line(int fd, const std::string& path, std::chrono::milliseconds each = kLockPatience,
                  std::chrono::milliseconds in_all = kLinePatience);
// The same, and false, without the lock, once `given_up` says so, which is asked twice a second,
// while an Alarm lives: it must not have one of its own.
bool lock_in_line_unless(const std::function<bool()>& given_up, int fd, const std::string& path,
                         std::chrono::milliseconds each = kLockPatience,
                         std::chrono::milliseconds in_all = kLinePatience);

}  // namespace fd
