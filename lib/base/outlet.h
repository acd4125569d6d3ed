// base/outlet: one of our outputs (stdout, stderr), which other processes may have open, too.
//
// O_NONBLOCK belongs to the open file, and so to everyone who has it open; therefore it is never set
// there. A socket is written with MSG_DONTWAIT. A pipe or terminal is opened again, non-blocking, for
// us alone. If that is refused, as for a pipe of another account, the pipe is written with RWF_NOWAIT;
// where that is not supported (a kernel before 6.4), no more is written at once than poll(2) promises.
#pragma once

#include <string>

#include "base/fd.h"

class Outlet {
 public:
  // Opens what close() needs, for a process that will open no file any more (base/confine.h). Without the right to
  // open it again, a pipe is written as one of another account.
  static void prepare();

  // Takes over `fd`, which stays open until close().
  explicit Outlet(int fd);
  Outlet(const Outlet&) = delete;

  int fd() const { return reopened_ ? reopened_.get() : fd_; }
  bool open() const { return fd_ >= 0; }
  bool empty() const { return sent_ == held_.size(); }
  // May be called only when empty(). After close() bytes are dropped.
  void hold(std::string bytes);
  // Writes as much as it can without waiting. False when nobody reads any more.
  bool flush();
  // Makes the reader see EOF, as far as we can: a socket is shut down for writing, anything else is closed
  // (and replaced by /dev/null).
  void close();

 private:
  enum class Kind { socket, reopened, pipe, other };
  long write_some();

  int fd_;
  Kind kind_ = Kind::other;
  Fd reopened_;
  std::string held_;
  std::size_t sent_ = 0;
};
