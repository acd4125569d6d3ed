// gate: checks the name and password of a request against node_users.conf(5).
//
// A hash takes tens of milliseconds of processor time, on purpose. So a password that was right is
// remembered for a minute, as a keyed digest and never as the password; other ones are hashed in two
// threads. The answer to a wrong one is delayed by a second, and an address with many wrong ones is
// refused for a while.
#pragma once

#include <sys/stat.h>

#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "basic_auth.h"
#include "config/node_users.h"
#include "timer.h"
#include "workers.h"

namespace asperanoded {

class Gate {
 public:
  enum class Outcome { accepted, refused, throttled, busy, broken };
  using Done = std::function<void(Outcome, const config::NodeUser&)>;

  static constexpr std::chrono::seconds kRememberedFor{60};
  static constexpr std::chrono::milliseconds kRefusalDelay{1000};
  static constexpr double kMaxFailures = 20;         // of one address at once,
  static constexpr double kForgivenPerSecond = 0.1;  // and then one every ten seconds

  // Reads `users_file` at once (Failure{78}), and again whenever it was changed.
  Gate(std::string users_file, Timer& timer);

  // `header` is as the client sent it. `done` is called once: at once in this thread, or later in another; it
  // must be short and must not throw.
  void check(const std::string& header, const IpAddress& client, Done done);
  void stop() { workers_.stop(); }

 private:
  using Clock = std::chrono::steady_clock;
  using Digest = std::array<unsigned char, 32>;
  using Users = std::vector<config::NodeUser>;
  struct Remembered {
    std::string name;
    Clock::time_point until;
  };
  struct Bucket {
    double left;
    Clock::time_point at;
  };
  struct Hashing {
    IpAddress client;           // the one that asked first
    std::vector<Done> waiting;  // all that asked the same meanwhile
  };

  void follow_file();
  Digest digest(const Credentials& credentials) const;
  const config::NodeUser* remembered(const Digest& digest);
  void remember(const Digest& digest, const std::string& name);
  bool take_token(const IpAddress& client);
  void give_back(const IpAddress& client);
  void hash(std::shared_ptr<const Users> users, const Credentials& credentials, const Digest& digest);
  void conclude(const Digest& digest, const std::string& name, const std::optional<config::NodeUser>& user);

  const std::string file_;
  Timer& timer_;
  std::array<unsigned char, 32> key_;
  std::mutex mutex_;
  std::shared_ptr<const Users> users_;
  bool broken_ = false;
  struct stat seen_ {};
  std::map<Digest, Remembered> memory_;
  std::map<Digest, Hashing> hashing_;
  std::map<IpAddress, Bucket> buckets_;
  Workers workers_;
};

}  // namespace asperanoded
