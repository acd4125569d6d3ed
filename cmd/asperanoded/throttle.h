// throttle: how long somebody who has failed often has to wait before the next attempt is looked at. Each
// attempt takes a token, and one that was right gets it back; tokens come again with time. Nobody is locked
// out: without a token one waits for the next.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>

namespace asperanoded {

class Throttle {
 public:
  using Clock = std::chrono::steady_clock;
  struct Terms {
    double burst;       // tokens at first, and at most
    double per_second;  // that come again
    double waiting;     // attempts that may wait for one, at most
  };

  // Remembers at most `most` keys; beyond that, it forgets those with the fewest failures.
  explicit Throttle(const Terms& terms, std::size_t most = 4096) : terms_(terms), most_(most) {}

  // Takes a token: how long to wait for it. Absent, with nothing taken: too many wait already.
  std::optional<std::chrono::milliseconds> take(const std::string& key, Clock::time_point now);
  // No error when the key is not known any more.
  void give_back(const std::string& key);

  std::size_t size() const { return buckets_.size(); }

 private:
  struct Bucket {
    double left;  // below 0: for so many the tokens are still to come
    Clock::time_point at;
  };
  double left(const Bucket& bucket, Clock::time_point now) const;
  void make_room(Clock::time_point now);

  const Terms terms_;
  const std::size_t most_;
  std::map<std::string, Bucket> buckets_;
};

}  // namespace asperanoded
