// balance/order: the standing of a server for a session, by its marks, and which of several
// the session tries next. Pure: balance/balance.h reads the marks and takes the locks.
//
//   nothing is marked                         good: in its turn
//   faulty, and its time is over              retry, if no other session is trying it; before all others
//   suspect, or being tried by another, or    last resort: in its turn when no other is left
//   left to sessions that wait for it
//   faulty, maintenance, refused              excluded
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

#include "balance/types.h"

namespace balance {

// The marks of one server that matter for this session.
struct HeededMarks {
  std::optional<Mark> maintenance;
  std::optional<Mark> faulty;              // for all accounts
  std::optional<Mark> faulty_for_account;  // for the session's account and key
  bool suspect = false;                    // and a session waits for the server
  std::optional<Mark> refused{};           // for that account and key: it was refused again and again
};

struct Standing {
  std::optional<Mark> excluded_by;
  bool suspect = false;
  bool due = false;  // it was faulty, and its time is over

  bool good() const { return !excluded_by && !suspect && !due; }
};
Standing judge(const HeededMarks& marks, std::chrono::seconds now);

enum class Rank { retry, good, last_resort, excluded };
// `ours`: this session has the lock of the session that tries the server. `left`: it has left the
// server to others before.
Rank rank_of(const Standing& standing, bool ours, bool left);

// The index of the next one in `ranks`: the first to be retried; otherwise the good one, or else the
// last resort, that has the turn. Absent: all are excluded.
std::optional<std::size_t> pick(const std::vector<Rank>& ranks, unsigned long turn);

}  // namespace balance
