// base/prometheus: what the writers of metrics have in common (text format 0.0.4).
#pragma once

#include <string>
#include <string_view>

namespace prometheus {

// What stands between the quotes of a label: one line, quotes and backslashes escaped.
std::string label_value(std::string_view value);

// `text` with this label, before all others, on each sample. An empty value: as it is.
std::string with_label(const std::string& text, std::string_view name, std::string_view value);

}  // namespace prometheus
