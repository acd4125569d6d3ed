// refusal: asp-lease's answer when it does not do what was asked; asp-lease(8), REFUSALS. Thrown while
// one request is handled, and caught there.
#pragma once

#include <string>

struct Refusal {
  std::string code;    // other_address
  std::string reason;  // for the user: one sentence, without internals
};
