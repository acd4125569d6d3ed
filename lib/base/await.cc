#include "base/await.h"

#include <cerrno>

#include "base/failure.h"

namespace await {

static_assert(sizeof(On) == sizeof(pollfd), "any() takes a row of the one for a row of the other");

bool any(const Deadline& deadline, std::span<On> watched) {
  auto* const polled = reinterpret_cast<pollfd*>(watched.data());
  for (;;) {
    const bool forever = deadline == Deadline::never();
    const int timeout = forever ? -1 : static_cast<int>(deadline.left().count());
    const int ready = ::poll(polled, watched.size(), timeout);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) tool::fail_errno(tool::os, "poll");
    if (!forever && deadline.over()) {
      for (On& each : watched) each.poll_.revents = 0;  // after a signal its contents are undefined
      return false;
    }
  }
}

}  // namespace await
