// workers: a few threads for slow work, with a short queue. When it is full, a new job is refused
// rather than delayed with all the others.
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

  // Drops queued jobs, and waits for running ones.
  void stop();

  // False: the queue is full. `job` must not throw.
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
