#include "base/boot_clock.h"

#include <time.h>

namespace boot_clock {

std::chrono::nanoseconds now() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

std::chrono::seconds seconds() { return std::chrono::duration_cast<std::chrono::seconds>(now()); }

}  // namespace boot_clock
