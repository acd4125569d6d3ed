// editor: changes one value in the text of aspera.conf, and no other byte.
//
//   <log_level>0</log_level>   <!-- debugging -->      rproxy_log_level, 2
//   <log_level>2</log_level>   <!-- debugging -->
//
// An existing element gets another body. A missing one becomes the last child of
// its deepest existing parent, indented like its siblings. An element that is
// removed takes its line with it if nothing else is on it.
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

// `text` with `change` made; unchanged if it has the value already. The result may be invalid: a rule
// without a host. `file` is for messages. Failure{78} when `text` is not XML, and when there are
// several rules (or <path>) to choose from.
Edited apply(const std::string& text, const Change& change, const std::string& file);

}  // namespace asconfigurator
