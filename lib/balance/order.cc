#include "balance/order.h"

#include <algorithm>

namespace balance {

Standing judge(const HeededMarks& marks, std::chrono::seconds now) {
  if (marks.maintenance) return {marks.maintenance};
  if (marks.refused && !marks.refused->over(now)) return {marks.refused};
  Standing standing;
  for (const auto* faulty : {&marks.faulty, &marks.faulty_for_account}) {
    if (!*faulty) continue;
    if (!(*faulty)->over(now)) return {*faulty};
    standing.due = true;
  }
  standing.suspect = marks.suspect;
  return standing;
}

Rank rank_of(const Standing& standing, bool ours, bool left) {
  if (standing.excluded_by) return Rank::excluded;
  if (left || standing.suspect || (standing.due && !ours)) return Rank::last_resort;
  return standing.due ? Rank::retry : Rank::good;
}

std::optional<std::size_t> pick(const std::vector<Rank>& ranks, unsigned long turn) {
  const auto retry = std::find(ranks.begin(), ranks.end(), Rank::retry);
  if (retry != ranks.end()) return retry - ranks.begin();
  for (const Rank rank : {Rank::good, Rank::last_resort}) {
    std::vector<std::size_t> equals;
    for (std::size_t i = 0; i < ranks.size(); ++i) {
      if (ranks[i] == rank) equals.push_back(i);
    }
    if (!equals.empty()) return equals[turn % equals.size()];
  }
  return std::nullopt;
}

}  // namespace balance
