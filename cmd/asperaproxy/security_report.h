// security_report: the findings in the form of the guide, as asp-check.sh(8) prints them.
#pragma once

#include <string>

#include "security.h"

namespace security {

// Pure. `all` adds a line for each account.
std::string text(const Report& report, bool all);
std::string json(const Report& report, bool all);

}  // namespace security
