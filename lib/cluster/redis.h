// cluster/redis: what the nodes of a cluster know in common, asked of its Redis master; the
// only user of Redis. Written for tools that must not wait: whoever asks says how
// long it may take in all, and goes on without when it fails.
//
//   redis::Client client(config.cluster, 50ms);
//   client.ask({"SET", "sallyport:greeting", "hello", "PX", "60000"});
//   client.ask({"GET", "sallyport:greeting"}).text();
//
// The process that has a Client says not one word to Redis, and hears none: asp-redis
// does, which runs beside it, for root under the account sallyport-dial, as long as the
// Client lives (cluster/redis_message.h). One that is missing, dies, hangs or talks
// nonsense is as good as a Redis that is away.
//
// A host alone has no <redis>, and makes no Client.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/redis_message.h"

namespace config {
struct Cluster;
}

namespace redis {

// EVAL: a Lua script with its KEYS and ARGV, which Redis runs with nothing else in
// between. For ask_all; alone it is Client::run.
Command script(std::string_view lua, const std::vector<std::string>& keys, const std::vector<std::string>& arguments);

enum class Whom { master, anyone };

class Client {
 public:
  // Starts asp-redis at the first command. All waiting of this object for Redis together
  // takes at most `patience`; time between its calls does not count. An asp-redis that hangs
  // costs half a second more, and all patience. `cluster` has <redis>, and its password is
  // read here: Failure{78} if that cannot be.
  // `whom`: anyone is the first of <redis>, be it master or not: for reading, when
  // there is no time to wait for a new master.
  Client(const config::Cluster& cluster, std::chrono::milliseconds patience, Whom whom = Whom::master);
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  // For one that lives long: from here on it may take `patience` once more.
  void grant(std::chrono::milliseconds patience);

  // One command. Failure{75} when Redis is away, too slow, refuses, or answers with
  // an error or what is no answer. Whether the command was done nobody knows then; the
  // next call connects anew, if time is left.
  Reply ask(const Command& command);
  // Several in one round trip, done in this order; not as a whole: one that fails
  // leaves the others done. The answers in the same order; Failure{75} if any is an error.
  std::vector<Reply> ask_all(const std::vector<Command>& commands);
  // One script.
  Reply run(std::string_view lua, const std::vector<std::string>& keys, const std::vector<std::string>& arguments);

 private:
  class Work;
  std::unique_ptr<Work> work_;
};

}  // namespace redis
