// base/wall_clock: the time of day, for people and for records.
#pragma once

#include <ctime>
#include <string>

namespace wall_clock {

// RFC 3339 in UTC: 2026-11-22T15:04:05Z.
std::string now();
std::string text(std::time_t seconds);

}  // namespace wall_clock
