#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "balance/order.h"

namespace {

using balance::HeededMarks;
using balance::Mark;
using balance::Rank;
using balance::Standing;
using balance::State;
using std::chrono::seconds;

constexpr seconds kNow{1000};

Mark mark(State state, seconds until, const std::string& user = "") {
  Mark made;
  made.host = {"10.0.0.10", 22};
  made.user = user;
  made.state = state;
  made.until = until;
  return made;
}
const Mark kMaintained = mark(State::maintenance, seconds(0));
const Mark kFaulty = mark(State::faulty, kNow + seconds(1));
const Mark kFaultyForXfer = mark(State::faulty, kNow + seconds(1), "xfer");
const Mark kRefused = mark(State::refused, kNow + seconds(1), "bear");
const Mark kRefusedBefore = mark(State::refused, kNow, "bear");
const Mark kOver = mark(State::faulty, kNow);

// "excluded by maintenance 10.0.0.10:22", "due", "due suspect", "suspect", "good"
std::string text_of(const Standing& standing) {
  if (standing.excluded_by)
    return std::string("excluded by ") + name_of(standing.excluded_by->state) + " " + standing.excluded_by->target();
  if (standing.good()) return "good";
  return std::string(standing.due ? "due" : "") + (standing.due && standing.suspect ? " " : "") +
         (standing.suspect ? "suspect" : "");
}

Standing due() {
  Standing standing;
  standing.due = true;
  return standing;
}
Standing suspect() {
  Standing standing;
  standing.suspect = true;
  return standing;
}

// The index, or -1.
int picked(const std::vector<Rank>& ranks, unsigned long turn) {
  const auto index = balance::pick(ranks, turn);
  return index ? static_cast<int>(*index) : -1;
}

}  // namespace

TEST_CASE("order: a mark ends at its time, not before, and maintenance never") {
  const Mark one = mark(State::faulty, kNow);
  CHECK_FALSE(one.over(kNow - seconds(1)));
  CHECK(one.over(kNow));
  CHECK(one.over(kNow + seconds(1)));
  CHECK_FALSE(kMaintained.over(kNow));
}

TEST_CASE("order: how a server stands is judged by what is worst of its marks") {
  struct Case {
    HeededMarks marks;
    std::string standing;
  };
  for (const auto& each :
       {Case{{{}, {}, {}, false}, "good"}, Case{{{}, {}, {}, true}, "suspect"}, Case{{{}, kOver, {}, false}, "due"},
        Case{{{}, {}, kOver, false}, "due"}, Case{{{}, kOver, kOver, false}, "due"},
        Case{{{}, kOver, {}, true}, "due suspect"}, Case{{{}, kFaulty, {}, false}, "excluded by faulty 10.0.0.10:22"},
        Case{{{}, {}, kFaultyForXfer, false}, "excluded by faulty xfer@10.0.0.10:22"},
        Case{{{}, kOver, kFaultyForXfer, false}, "excluded by faulty xfer@10.0.0.10:22"},
        Case{{{}, kFaulty, kOver, true}, "excluded by faulty 10.0.0.10:22"},
        Case{{kMaintained, {}, {}, false}, "excluded by maintenance 10.0.0.10:22"},
        Case{{kMaintained, kFaulty, kOver, true}, "excluded by maintenance 10.0.0.10:22"},
        Case{{{}, {}, {}, false, kRefused}, "excluded by refused bear@10.0.0.10:22"},
        Case{{{}, kOver, {}, true, kRefused}, "excluded by refused bear@10.0.0.10:22"},
        Case{{{}, {}, {}, false, kRefusedBefore}, "good"}, Case{{{}, kOver, {}, false, kRefusedBefore}, "due"}}) {
    CHECK(text_of(balance::judge(each.marks, kNow)) == each.standing);
  }
}

TEST_CASE("order: a server is ranked by its standing, by who tries it, and by whether it was left to others") {
  struct Case {
    Standing standing;
    bool ours;
    bool left;
    Rank rank;
  };
  Standing due_and_suspect = due();
  due_and_suspect.suspect = true;
  const Standing excluded{kFaulty};
  for (const auto& each :
       {Case{{}, false, false, Rank::good}, Case{{}, true, false, Rank::good}, Case{{}, false, true, Rank::last_resort},
        Case{due(), true, false, Rank::retry}, Case{due(), false, false, Rank::last_resort},
        Case{due(), true, true, Rank::last_resort}, Case{suspect(), false, false, Rank::last_resort},
        Case{suspect(), true, false, Rank::last_resort}, Case{due_and_suspect, true, false, Rank::last_resort},
        Case{excluded, false, false, Rank::excluded}, Case{excluded, true, true, Rank::excluded}}) {
    CAPTURE(text_of(each.standing));
    CHECK(balance::rank_of(each.standing, each.ours, each.left) == each.rank);
  }
}

TEST_CASE("order: good servers have their turns one after the other, whatever stands between them") {
  const std::vector<Rank> ranks{Rank::good, Rank::excluded, Rank::good, Rank::last_resort, Rank::good};
  const std::vector<int> order{0, 2, 4, 0, 2, 4, 0};
  for (std::size_t turn = 0; turn < order.size(); ++turn) CHECK(picked(ranks, turn) == order[turn]);
  CHECK(picked(ranks, ~0UL) == order[~0UL % 3]);
}

TEST_CASE("order: one that is to be retried comes before the good ones, the first of several, in every turn") {
  for (unsigned long turn = 0; turn < 4; ++turn) {
    CHECK(picked({Rank::good, Rank::retry, Rank::good, Rank::retry}, turn) == 1);
    CHECK(picked({Rank::last_resort, Rank::excluded, Rank::retry}, turn) == 2);
  }
}

TEST_CASE("order: the last resort has its turns when no other is left") {
  const std::vector<Rank> ranks{Rank::excluded, Rank::last_resort, Rank::last_resort};
  CHECK(picked(ranks, 0) == 1);
  CHECK(picked(ranks, 1) == 2);
  CHECK(picked(ranks, 2) == 1);
}

TEST_CASE("order: nothing is picked of nothing, and of those that are excluded") {
  CHECK(picked({}, 0) == -1);
  CHECK(picked({}, 7) == -1);
  CHECK(picked({Rank::excluded, Rank::excluded}, 1) == -1);
}
