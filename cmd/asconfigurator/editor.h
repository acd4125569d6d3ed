// editor: one value in the text of aspera.conf, and no other byte.
//
//   <log_level>0</log_level>   <!-- debugging -->      rproxy_log_level, 2
//   <log_level>2</log_level>   <!-- debugging -->
//
// An element that is there gets another body. One that is missing becomes the
// last of the deepest of its parents that is there, indented as its siblings
// are. One that is to go takes its line with it if it has that for itself.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "item.h"

namespace asconfigurator {

struct Edited {
  std::string text;
  std::optional<std::string> before;  // the value that was in force; absent: none
};

// `text` with `change` made; the same text when the value is that already. The
// result may be invalid: a rule without a host. `file` is for messages.
// Failure{78} when `text` is not XML, and when there are several rules (or
// <path>) to choose from.
Edited apply(const std::string& text, const Change& change, const std::string& file);

}  // namespace asconfigurator
