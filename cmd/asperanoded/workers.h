// workers: a few threads for what takes time, with a short queue: who comes when
// it is full is told so, rather than waiting with all the others.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace asperanoded {

class Workers {
 public:
  Workers(unsigned threads, std::size_t queue);
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  ~Workers() { stop(); }

  // What is queued is dropped, what runs is waited for.
  void stop();

  // False: busy. `job` must not throw.
  bool post(std::function<void()> job);

 private:
  void work();

  std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool over_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace asperanoded
