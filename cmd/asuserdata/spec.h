// spec: all options of aspera.conf with their defaults, as commented XML that is
// itself a valid aspera.conf.
//
//   <log_level>0</log_level>      <!-- 0: connections; 1 and 2 add debug lines: a number from 0 to 2 -->
#pragma once

#include <string>

namespace asuserdata {

enum class Names { no, yes };

// With Names::yes each comment begins with the name that asconfigurator has for the option.
std::string spec(Names names);

}  // namespace asuserdata
