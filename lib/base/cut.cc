#include "base/cut.h"

#include <algorithm>

namespace cut {

Views lines(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  else if (text.empty()) return {};
  return fields(text, '\n');
}

Views words(std::string_view text, std::string_view separators) {
  Views found;
  while (!text.empty()) {
    const auto end = std::min(text.find_first_of(separators), text.size());
    if (end > 0) found.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return found;
}

Views fields(std::string_view text, char separator) {
  Views found;
  for (;;) {
    const auto end = text.find(separator);
    found.push_back(text.substr(0, end));
    if (end == text.npos) return found;
    text.remove_prefix(end + 1);
  }
}

std::string_view trimmed(std::string_view text, std::string_view blanks) {
  const auto first = text.find_first_not_of(blanks);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

}  // namespace cut
