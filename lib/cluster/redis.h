// cluster/redis: what the nodes of a cluster know in common, asked of its Redis master; the
// only user of Redis. It is for tools that must not wait: the caller sets a time limit
// for all requests, and goes on without the answer when it fails.
//
//   redis::Client client(config.cluster, 50ms);
//   client.ask({"SET", "sallyport:greeting", "hello", "PX", "60000"});
//   client.ask({"GET", "sallyport:greeting"}).text();
//
// The process that has a Client never speaks with Redis itself: asp-redis does, which runs
// beside it, for root under the account sallyport-dial, as long as the Client lives
// (cluster/redis_message.h). If asp-redis is missing, dies, hangs or sends something
// malformed, Redis counts as away.
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

// EVAL: a Lua script with its KEYS and ARGV, which Redis runs with nothing else in between. For
// ask_all; use Client::run for a single one.
Command script(std::string_view lua, const std::vector<std::string>& keys, const std::vector<std::string>& arguments);

enum class Ask { master, anyone };

class Client {
 public:
  // Starts asp-redis at the first command. All waits of this object for Redis together take at most
  // `patience`; time between its calls does not count. An asp-redis that hangs costs half a second more, and
  // all of `patience`. `cluster` has <redis>, and its password is read here: Failure{78} if that fails. With
  // `ask` anyone, the first of <redis> is asked, master or not: for reading, when there is no time to wait
  // for a new master.
  Client(const config::Cluster& cluster, std::chrono::milliseconds patience, Ask ask = Ask::master);
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  // For a long-lived Client: from here on it may take `patience` once more.
  void grant(std::chrono::milliseconds patience);

  // Sends one command. Failure{75} when Redis is away, too slow, refuses, or answers with an error or
  // something malformed. It is unknown then whether the command was done; the next call connects anew, if time
  // is left.
  Reply ask(const Command& command);
  // Sends several in one round trip, done in this order, but not as a whole: the others are done even if one
  // fails. The answers are in the same order; Failure{75} if any is an error.
  std::vector<Reply> ask_all(const std::vector<Command>& commands);
  // Runs one script.
  Reply run(std::string_view lua, const std::vector<std::string>& keys, const std::vector<std::string>& arguments);

 private:
  class Work;
  std::unique_ptr<Work> work_;
};

}  // namespace redis
