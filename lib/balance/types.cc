#include "balance/types.h"

#include "base/boot_clock.h"

namespace balance {

const char* name_of(State state) {
  switch (state) {
    case State::faulty: return "faulty";
    case State::suspect: return "suspect";
    case State::maintenance: return "maintenance";
    case State::refused: return "refused";
  }
  return "";
}

bool Mark::over() const { return over(boot_clock::seconds()); }
std::chrono::seconds Mark::left() const { return until - boot_clock::seconds(); }

}  // namespace balance
