#include "run.h"

#include "base/await.h"

namespace forward {

int run(const child::Program& program, HeldLease& held, Signals& signals) {
  if (const auto caught = signals.take()) signals::end_by(caught->number);
  auto command = child::spawn(program);
  for (;;) {
    await::On end(command.pidfd()), signal(signals.fd());
    auto lease = held.awaited();
    await::any(Deadline::never(), end, signal, lease.timer, lease.renewal);
    if (end) return command.wait();
    if (const auto caught = signals.take(); caught && caught->from_process) command.signal(caught->number);
    held.tend();
  }
}

}  // namespace forward
