// base/prometheus: functions that all writers of metrics use (text format 0.0.4).
#pragma once

#include <string>
#include <string_view>

namespace prometheus {

// The text between the quotes of a label: one line, quotes and backslashes escaped.
std::string label_value(std::string_view value);

// Adds this label, before all others, to each sample of `text`. With an empty value `text` is
// unchanged.
std::string with_label(const std::string& text, std::string_view name, std::string_view value);

}  // namespace prometheus
