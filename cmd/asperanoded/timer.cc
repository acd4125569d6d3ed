#include "timer.h"

namespace asperanoded {

Timer::Timer() : thread_([this] { run(); }) {}

void Timer::stop() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Timer::after(std::chrono::milliseconds delay, std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.emplace(std::chrono::steady_clock::now() + delay, std::move(job));
  }
  changed_.notify_all();
}

void Timer::run() {
  std::unique_lock lock(mutex_);
  while (!over_) {
    if (jobs_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const auto next = jobs_.begin();
    if (const auto at = next->first; at > std::chrono::steady_clock::now()) {
      changed_.wait_until(lock, at);
      continue;
    }
    const auto job = std::move(next->second);
    jobs_.erase(next);
    lock.unlock();
    job();
    lock.lock();
  }
}
}  // namespace asperanoded
