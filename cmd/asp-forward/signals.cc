#include "signals.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstring>

#include <fmt/core.h>

#include "base/failure.h"

namespace forward {

Signals::Signals() {
  sigset_t watched;
  ::sigemptyset(&watched);
  for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM}) {
    struct sigaction now {};
    if (::sigaction(number, nullptr, &now) == 0 && now.sa_handler == SIG_IGN) ignored_.push_back(number);
    else ::sigaddset(&watched, number);
  }
  ::sigprocmask(SIG_BLOCK, &watched, nullptr);
  fd_ = Fd(::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd_) tool::fail_errno(tool::os, "signalfd");
}

std::optional<Signals::Caught> Signals::take() {
  signalfd_siginfo caught;
  if (::read(fd_.get(), &caught, sizeof caught) != sizeof caught) return std::nullopt;
  return Caught{static_cast<int>(caught.ssi_signo), caught.ssi_code <= 0};
}

void end_by(int number) {
  throw tool::Failure(static_cast<tool::Exit>(128 + number), fmt::format("ended by SIG{}", ::sigabbrev_np(number)));
}

}  // namespace forward
