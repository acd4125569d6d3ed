#include "control.h"

#include "base/await.h"

namespace asp_cp {

void Control::attend(int fd, std::function<bool()> readable) {
  aside_ = fd;
  readable_ = std::move(readable);
}

void Control::send(const Record& message) {
  try {
    io::write_all(out_, message.text());
  } catch (const tool::Failure&) {
    throw Gone();
  }
}

std::optional<Record> Control::pop() {
  while (const auto line = lines_.pop()) {
    if (auto message = parser_.add(*line)) {
      look_at(*message);
      return message;
    }
  }
  return std::nullopt;
}

// One poll(2) and one read(2), so that a trickling stream cannot hold us longer.
void Control::wait_readable(const Deadline& deadline) {
  await::On message(in_), aside(aside_);
  await::any(deadline, message, aside);
  if (aside && !readable_()) aside_ = -1;
  if (message && !lines_.fill(in_)) throw Gone();
}

std::optional<Record> Control::receive(std::chrono::milliseconds wait) {
  const auto deadline = Deadline::in(wait);
  for (;;) {
    if (auto message = pop()) return message;
    wait_readable(deadline);
    if (auto message = pop()) return message;
    if (deadline.over()) return std::nullopt;
  }
}

}  // namespace asp_cp
