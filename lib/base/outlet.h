// base/outlet: one of our outputs (stdout, stderr), which others may hold open too.
//
// O_NONBLOCK belongs to what a descriptor refers to, and so to everyone who
// holds it; it is therefore never set there. A socket is written with
// MSG_DONTWAIT; a pipe or terminal is opened anew, non-blocking, for ourselves
// alone; where that is refused, as to an account of another, a pipe is written with
// RWF_NOWAIT, and what does not know that (a kernel before 6.4) gets no more at once
// than poll(2) promises.
#pragma once

#include <string>

#include "base/fd.h"

class Outlet {
 public:
  // Takes over `fd`, which is not closed before close().
  explicit Outlet(int fd);
  Outlet(const Outlet&) = delete;

  int fd() const { return reopened_ ? reopened_.get() : fd_; }
  bool open() const { return fd_ >= 0; }
  bool empty() const { return sent_ == held_.size(); }
  // Only when empty(). After close() bytes are dropped.
  void hold(std::string bytes);
  // Writes what it can without waiting. False when nobody reads any more.
  bool flush();
  // The reader sees EOF as far as it is ours to show: a socket is shut down for
  // writing, anything else closed (in its place stands /dev/null).
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
