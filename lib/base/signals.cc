#include "base/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cstring>

#include <fmt/core.h>

#include "base/failure.h"

namespace {

bool is_ignored(int number) {
  struct sigaction now {};
  return ::sigaction(number, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

template <typename Numbers>
sigset_t set_of(const Numbers& numbers) {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : numbers) sigaddset(&set, number);
  return set;
}

}  // namespace

Signals::Signals(std::initializer_list<int> numbers, Ignored ignored) {
  std::vector<int> taken;
  for (const int number : numbers) {
    if (ignored == Ignored::left && is_ignored(number)) ignored_.push_back(number);
    else taken.push_back(number);
  }
  const sigset_t set = set_of(taken);
  if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) tool::fail_errno(tool::os, "sigprocmask");
  fd_ = Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd_) tool::fail_errno(tool::os, "signalfd");
}

std::optional<Signals::Caught> Signals::take() const {
  signalfd_siginfo caught;
  if (::read(fd_.get(), &caught, sizeof caught) != sizeof caught) return std::nullopt;
  return Caught{static_cast<int>(caught.ssi_signo), caught.ssi_code <= 0};
}

SignalsPutOff::SignalsPutOff(std::initializer_list<int> numbers) {
  const sigset_t set = set_of(numbers);
  if (::sigprocmask(SIG_BLOCK, &set, &before_) != 0) tool::fail_errno(tool::os, "sigprocmask");
}

namespace signals {

void end_by(int number) {
  throw tool::Failure(static_cast<tool::Exit>(128 + number), fmt::format("ended by SIG{}", ::sigabbrev_np(number)));
}

}  // namespace signals
