// setup_steps: what `asperaproxy setup` sees to, in its order. Each looks at the host, and says what is missing.
#pragma once

#include <vector>

#include "setup_step.h"

namespace asperaproxy::setup {

struct Maker {
  const char* name;
  Step (*make)(const Answers&, const Journal&);
  bool reverse = true;  // the reverse proxy needs it
  bool forward = true;  // the forward proxy needs it
  enum class Origin { any, fresh, original } origin = Origin::any;
  bool is_due(const Answers& answers) const {
    if (origin == (answers.original.empty() ? Origin::original : Origin::fresh)) return false;
    return (reverse && answers.reverse()) || (forward && answers.forward());
  }
};

// Each is made when those before it are done.
const std::vector<Maker>& steps();

}  // namespace asperaproxy::setup
