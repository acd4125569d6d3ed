// base/wall_clock: the time of day, for people and for records.
#pragma once

#include <string>

namespace wall_clock {

// RFC 3339 in UTC: 2026-11-22T15:04:05Z.
std::string now();

}  // namespace wall_clock
