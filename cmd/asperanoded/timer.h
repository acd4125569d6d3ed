// timer: runs jobs later, in one thread, so that no thread is blocked by waiting.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

namespace asperanoded {

class Timer {
 public:
  Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { stop(); }

  // Drops the jobs that wait, and waits for the running one.
  void stop();

  // `job` must be short and must not throw.
  void after(std::chrono::milliseconds delay, std::function<void()> job);

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<std::chrono::steady_clock::time_point, std::function<void()>> jobs_;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace asperanoded
