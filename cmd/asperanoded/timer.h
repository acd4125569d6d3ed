// timer: things to do later, in one thread, so that what waits holds none.
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

  // What is still to do is dropped, what is being done is waited for.
  void stop();

  // `job` must be short, and not throw.
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
