// base/signals: signals as something to wait for, instead of an interruption.
//
//   Signals signals({SIGHUP, SIGTERM});
//   await::On signal(signals.fd());
//   …
//   if (const auto caught = signals.take()) signals::end_by(caught->number);
//
// None of them is blocked in a program that child::spawn starts.
#pragma once

#include <signal.h>

#include <initializer_list>
#include <optional>
#include <vector>

#include "base/fd.h"

class Signals {
 public:
  enum class Ignored { caught, left };
  struct Caught {
    int number;
    bool from_process;  // kill(2); otherwise the kernel sent it
  };

  // Blocks them for good: a signal that comes when nobody takes it any more must not end the clean-up. `left`:
  // an ignored signal, as under nohup(1), stays ignored. Failure{71}.
  explicit Signals(std::initializer_list<int> numbers, Ignored ignored = Ignored::caught);

  // Readable when there is one to take.
  int fd() const { return fd_.get(); }
  // Absent: none came.
  std::optional<Caught> take() const;
  // Signals that were left as they are.
  const std::vector<int>& ignored() const { return ignored_; }

 private:
  std::vector<int> ignored_;
  Fd fd_;
};

// Blocks the signals while it exists: one that comes meanwhile acts afterwards.
class SignalsPutOff {
 public:
  explicit SignalsPutOff(std::initializer_list<int> numbers);
  SignalsPutOff(const SignalsPutOff&) = delete;
  SignalsPutOff& operator=(const SignalsPutOff&) = delete;
  ~SignalsPutOff() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

namespace signals {

// Failure{128 + its number}, "ended by SIGTERM".
[[noreturn]] void end_by(int number);

}  // namespace signals
