#include "base/prometheus.h"

#include <fmt/core.h>

#include "base/logging.h"

namespace prometheus {

std::string label_value(std::string_view value) {
  std::string escaped;
  for (const char c : logging::escape(value)) {
    if (c == '\\' || c == '"') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string with_label(const std::string& text, std::string_view name, std::string_view value) {
  if (value.empty()) return text;
  const std::string label = fmt::format("{}=\"{}\"", name, label_value(value));
  std::string labelled;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
    const std::string line = text.substr(at, end - at);
    const std::size_t name_end = line.find_first_of("{ ");
    if (line.starts_with('#') || name_end == line.npos) labelled += line;
    else if (line[name_end] == '{') labelled += line.substr(0, name_end + 1) + label + "," + line.substr(name_end + 1);
    else labelled += fmt::format("{}{{{}}}{}", line.substr(0, name_end), label, line.substr(name_end));
    at = end;
  }
  return labelled;
}

}  // namespace prometheus
