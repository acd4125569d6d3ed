#include "base/env.h"

#include <algorithm>
#include <cstdlib>

namespace env {

std::optional<std::string> get(const char* name) {
  constexpr std::size_t kMaxValue = 4096;
  const char* value = std::getenv(name);
  if (!value) return std::nullopt;
  std::string copy(value);
  const bool control = std::any_of(copy.begin(), copy.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (copy.size() > kMaxValue || control) return std::nullopt;
  return copy;
}

std::vector<std::string> allow(std::initializer_list<const char*> names) {
  std::vector<std::string> kept{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
  for (const char* name : names) {
    if (const auto value = get(name)) kept.push_back(std::string(name) + "=" + *value);
  }
  return kept;
}

}  // namespace env
