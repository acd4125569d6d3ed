// dialer: one asp-dial that connects to one internal server, and waits with
// the remote command until it is told to run it; asp-dial(1), option -C.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "child.h"
#include "fd.h"
#include "io.h"
#include "route.h"
#include "status.h"

class Dialer {
 public:
  // Starts connecting. stdin, stdout and stderr of the session go to asp-dial,
  // which reads nothing from them before run(). `family`: AF_INET, AF_INET6, or
  // AF_UNSPEC where it does not matter which of the host's addresses it is.
  Dialer(const Route& route, const HostPort& host, const std::vector<std::string>& words, int family);

  // Readable when next() has something to say.
  int fd() const { return control_.get(); }
  // Reads what is there; absent: no whole line yet. `hung_up` tells the end.
  std::optional<status::Line> next();
  bool hung_up() const { return hung_up_; }

  void run();
  // Asks it to end, which ends the remote command too.
  void hang_up() { control_.reset(); }
  // Its exit status, once it has ended.
  int wait() { return child_.wait(); }

 private:
  Fd control_;
  io::LineBuffer lines_{8192};
  bool hung_up_ = false;
  child::Child child_;
};
