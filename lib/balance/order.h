// balance/order: how a server stands for a session by its marks, and which of several
// the session tries next. Pure: the marks are read, and the locks taken, by
// balance/balance.h.
//
//   nothing is marked                         good: in its turn
//   faulty, and its time is over              retry, if nobody else is trying it; before all others
//   suspect, or being tried by another, or    last resort: in its turn when no other is left
//   left to those who wait for it
//   faulty, maintenance                       excluded
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

#include "balance/types.h"

namespace balance {

// Of one server, the marks that this session heeds.
struct HeededMarks {
  std::optional<Mark> maintenance;
  std::optional<Mark> faulty;              // for all accounts
  std::optional<Mark> faulty_for_account;  // for the session's account and key
  bool suspect = false;                    // and somebody waits for the server
};

struct Standing {
  std::optional<Mark> excluded_by;
  bool suspect = false;
  bool due = false;  // it was faulty, and its time is over

  bool good() const { return !excluded_by && !suspect && !due; }
};
Standing judge(const HeededMarks& marks, std::chrono::seconds now);

enum class Rank { retry, good, last_resort, excluded };
// `ours`: this session has the lock of those who try it. `left`: it has left it to
// others before.
Rank rank_of(const Standing& standing, bool ours, bool left);

// Which of `ranks` is next: the first to be retried; else the good one, else the last
// resort, that has the turn. Absent: all are excluded.
std::optional<std::size_t> pick(const std::vector<Rank>& ranks, unsigned long turn);

}  // namespace balance
