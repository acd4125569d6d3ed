// link: speaks with Sentinels and with Redis, for one redis::Client.
//
// All Sentinels are asked at once, and the master is the one that is named first; without Sentinels,
// it is the first server. It must be one of the servers, and call itself master. Keys begin with
// "sallyport:".
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "cluster/redis_message.h"

class Link {
 public:
  // Connects at the first question.
  explicit Link(redis::Terms terms);
  ~Link();

  // The replies to the commands, in one round trip. Failure{75} when Redis is away, too slow, refuses, or
  // answers one of them with an error or something malformed. The next question connects anew then.
  std::vector<redis::Reply> exchange(const redis::Question& question);

 private:
  class Work;
  std::unique_ptr<Work> work_;
};
