// attempt: one asp-dial that connects to one internal server, and waits with the
// remote command until it is told to run it; asp-dial(1), option -C.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "balance.h"
#include "child.h"
#include "command_line.h"
#include "conductor_link.h"
#include "fd.h"
#include "io.h"
#include "route.h"
#include "status.h"
#include "tool.h"

class Attempt {
 public:
  // Starts connecting, under the account that all dialers share. `descriptors`
  // become its stdin, stdout and stderr, which it does not touch before "run".
  // `family` is that of the server's address, AF_UNSPEC if it does not matter.
  Attempt(const Route& route, const HostPort& host, int family, const std::string& key, const command_line::Words& words, const std::vector<Fd>& descriptors);

  // Absent: it is connected. Otherwise why not; also when another session finds
  // the host faulty meanwhile. Failure{75} when the link ends.
  std::optional<tool::Failure> await_connected(balance::Choice& choice, ConductorLink& link);
  // What asp-dial said of the connection: address, host key, and what took how long.
  const status::Line& connected() const { return connected_; }

  // Carries "run" one way and status lines the other until asp-dial or the link
  // ends. Returns asp-dial's exit status.
  int relay(ConductorLink& link);

 private:
  std::optional<status::Line> next();

  std::chrono::seconds patience_;  // for all of connecting
  child::Child child_;
  Fd control_;
  io::LineBuffer lines_{8192};
  bool hung_up_ = false;
  status::Line connected_;
};
