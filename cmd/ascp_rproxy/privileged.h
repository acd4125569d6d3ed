// privileged: one helper of ours that sudo runs as root, and that answers with
// status lines (status.h).
#pragma once

#include <optional>
#include <string>

#include "child.h"
#include "fd.h"
#include "io.h"
#include "status.h"

class Privileged {
 public:
  // Readable when next() has something to say.
  int fd() const { return hung_up_ ? -1 : channel_.get(); }
  // Reads what is there; absent: no whole line yet. `hung_up` tells the end.
  std::optional<status::Line> next();
  bool hung_up() const { return hung_up_; }
  // What sudo or the tool itself wrote to stderr, on one line.
  std::string complaint();
  // Its exit status, once it has ended.
  int wait() { return child_.wait(); }

 protected:
  // Starts `tool` of libexec with `in` and `out` as its stdin and stdout; it
  // answers on `channel`.
  Privileged(const std::string& tool, int in, int out, Fd channel);
  Fd& channel() { return channel_; }

 private:
  // Destroyed last: sudo runs as root and cannot be killed by a user, but it
  // ends when its pipes are closed.
  child::Child child_;
  Fd err_;
  Fd channel_;
  io::LineBuffer lines_{8192};
  bool hung_up_ = false;
};
