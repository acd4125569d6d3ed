#include "run.h"

#include <poll.h>

#include <cerrno>
#include <vector>

#include "base/failure.h"

namespace forward {

int run(const child::Program& program, HeldLease& held, Signals& signals) {
  if (const auto caught = signals.take()) end_by(caught->number);
  auto command = child::spawn(program);
  for (;;) {
    std::vector<pollfd> fds{{command.pidfd(), POLLIN, 0}, {signals.fd(), POLLIN, 0}};
    held.watch(fds);
    if (::poll(fds.data(), fds.size(), -1) < 0) {
      if (errno != EINTR) tool::fail_errno(tool::os, "poll");
      continue;
    }
    if (fds[0].revents) return command.wait();
    if (const auto caught = signals.take(); caught && caught->from_process) command.signal(caught->number);
    held.tend();
  }
}

}  // namespace forward
