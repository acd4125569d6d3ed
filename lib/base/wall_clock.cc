#include "base/wall_clock.h"

namespace wall_clock {

std::string now() { return text(std::time(nullptr)); }

std::string text(std::time_t seconds) {
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

}  // namespace wall_clock
