#include "channels.h"

#include <utility>

#include "base/deadline.h"

namespace asp_cp {
std::optional<Record> Session::wait(std::chrono::milliseconds limit) {
  if (early_) return std::exchange(early_, std::nullopt);
  auto message = control_.receive(limit);
  if (!message || word_of(*message) != "busy") return message;
  check_plain(*message);
  heard_busy_ = true;
  return std::nullopt;
}

Record Session::next() {
  auto deadline = Deadline::in(kStepLimit);
  for (;;) {
    if (auto message = wait(kWaitTime)) return *message;
    if (std::exchange(heard_busy_, false)) deadline = Deadline::in(kStepLimit);
    // A message that came before the UDP connection ended counts, so look once more.
    try {
      link_.check();
    } catch (const tool::Failure&) {
      if (auto message = wait(kWaitTime)) return *message;
      throw;
    }
    if (deadline.over()) throw tool::Failure(tool::temporary, "the other end stopped answering");
  }
}

void Session::busy() {
  if (!early_) early_ = wait(std::chrono::milliseconds(0));
  if (Clock::now() - said_busy_ < std::chrono::seconds(1)) return;
  said_busy_ = Clock::now();
  control_.send(plain("busy"));
}

}  // namespace asp_cp
