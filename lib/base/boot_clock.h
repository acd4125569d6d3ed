// base/boot_clock: time that nobody sets: it counts from the boot on, also while the
// machine sleeps. CLOCK_BOOTTIME, clock_gettime(2). For deadlines that several
// processes of a host share; on another host it means nothing.
#pragma once

#include <chrono>

namespace boot_clock {

std::chrono::nanoseconds now();

// Whole ones.
std::chrono::seconds seconds();

}  // namespace boot_clock
