#include "throttle.h"

#include <algorithm>

namespace asperanoded {

double Throttle::left(const Bucket& bucket, Clock::time_point now) const {
  const std::chrono::duration<double> passed = now - bucket.at;
  return std::min(terms_.burst, bucket.left + terms_.per_second * passed.count());
}

// A key that is forgotten has all its tokens again. So the one that loses least by it goes, and whoever
// fills the table forgives only themselves.
void Throttle::make_room(Clock::time_point now) {
  if (buckets_.size() < most_) return;
  std::erase_if(buckets_, [&](const auto& one) { return left(one.second, now) >= terms_.burst; });
  if (buckets_.size() < most_) return;
  buckets_.erase(std::max_element(buckets_.begin(), buckets_.end(), [&](const auto& one, const auto& other) {
    return left(one.second, now) < left(other.second, now);
  }));
}

std::optional<std::chrono::milliseconds> Throttle::take(const std::string& key, Clock::time_point now) {
  auto found = buckets_.find(key);
  if (found == buckets_.end()) {
    make_room(now);
    found = buckets_.emplace(key, Bucket{terms_.burst, now}).first;
  }
  Bucket& bucket = found->second;
  bucket = {left(bucket, now), now};
  if (bucket.left - 1 < -terms_.waiting) return std::nullopt;
  bucket.left -= 1;
  const double missing = std::max(0.0, -bucket.left);
  return std::chrono::milliseconds(static_cast<long>(1000 * missing / terms_.per_second));
}

void Throttle::give_back(const std::string& key) {
  if (const auto found = buckets_.find(key); found != buckets_.end())
    found->second.left = std::min(terms_.burst, found->second.left + 1);
}

}  // namespace asperanoded
