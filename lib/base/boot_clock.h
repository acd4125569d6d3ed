// base/boot_clock: a time that nobody can set. It counts from the boot on, also while the machine
// sleeps. CLOCK_BOOTTIME, clock_gettime(2). It is for deadlines that several processes of a host
// share; on another host it means nothing.
#pragma once

#include <chrono>

namespace boot_clock {

std::chrono::nanoseconds now();

// Whole seconds since the boot.
std::chrono::seconds seconds();

}  // namespace boot_clock
