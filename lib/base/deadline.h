// base/deadline: a time limit, by a clock that nobody can set.
//
//   const auto deadline = Deadline::in(10s);
//   while (!deadline.over()) …
#pragma once

#include <chrono>
#include <compare>

class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  static Deadline in(std::chrono::nanoseconds patience) { return at(Clock::now() + patience); }
  static Deadline at(Clock::time_point when) { return Deadline(when); }
  // Over from the start, for checking without waiting.
  static Deadline now() { return at(Clock::time_point::min()); }
  static Deadline never() { return at(Clock::time_point::max()); }

  bool over() const { return Clock::now() >= when_; }
  // The time left, rounded up, so that a sleep for that long does not end too early. At most an hour, so that
  // it fits every type; 0 when it is over.
  std::chrono::milliseconds left() const {
    constexpr std::chrono::milliseconds kMost{3'600'000};
    const auto now = Clock::now();
    if (now >= when_) return std::chrono::milliseconds(0);
    return when_ - now >= kMost ? kMost : std::chrono::ceil<std::chrono::milliseconds>(when_ - now);
  }

  auto operator<=>(const Deadline&) const = default;

 private:
  explicit Deadline(Clock::time_point when) : when_(when) {}

  Clock::time_point when_;
};
