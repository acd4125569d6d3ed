// setup_steps: what `asperaproxy setup` sees to, in its order. Each looks at the host, and says what is missing.
#pragma once

#include <vector>

#include "setup_step.h"

namespace asperaproxy::setup {

// Which hosts need a step.
constexpr unsigned kReverse = 1, kForward = 2, kNode = 4;
constexpr unsigned kProxy = kReverse | kForward;

struct Maker {
  const char* name;
  Step (*make)(const Answers&, const Journal&);
  unsigned whose;  // kReverse | ...
  enum class Origin { any, fresh, original } origin = Origin::any;
  bool is_due(const Answers& answers) const {
    if (origin == (answers.original.empty() ? Origin::original : Origin::fresh)) return false;
    return ((whose & kReverse) && answers.reverse()) || ((whose & kForward) && answers.forward()) ||
           ((whose & kNode) && answers.node());
  }
};

// Each is made when those before it are done.
const std::vector<Maker>& steps();

}  // namespace asperaproxy::setup
