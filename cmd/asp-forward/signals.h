// signals: those that ask us to end, as something to poll: what was begun is
// given back first.
#pragma once

#include <optional>
#include <vector>

#include "base/fd.h"

namespace forward {

class Signals {
 public:
  struct Caught {
    int number;
    bool from_process;  // kill(2); otherwise the kernel sent it to our whole group
  };

  // Blocks SIGHUP, SIGINT, SIGQUIT and SIGTERM, but for those that are ignored, as
  // nohup(1) has it.
  Signals();

  int fd() const { return fd_.get(); }
  std::optional<Caught> take();
  const std::vector<int>& ignored() const { return ignored_; }

 private:
  std::vector<int> ignored_;
  Fd fd_;
};

// Failure{128 + its number}.
[[noreturn]] void end_by(int number);

}  // namespace forward
