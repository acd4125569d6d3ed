// gate: checks the name and password of a request against node_users.conf(5).
//
// A hash takes tens of milliseconds of processor time, on purpose. So a password that was right is
// remembered for a minute, as a keyed digest and never as the password; other ones are hashed in two
// threads. The answer to a wrong one is delayed by a second. After many wrong ones from an address, each
// further one for that name waits before it is looked at; so do, after many more, all from that address but
// for names that have logged in from there. Nobody else waits.
#pragma once

#include <sys/stat.h>

#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/address.h"
#include "basic_auth.h"
#include "config/node_users.h"
#include "throttle.h"
#include "timer.h"
#include "workers.h"

namespace asperanoded {

class Gate {
 public:
  enum class Outcome { accepted, refused, throttled, busy, broken };
  using Done = std::function<void(Outcome, const config::NodeUser&)>;

  static constexpr std::chrono::seconds kRememberedFor{60};
  static constexpr std::chrono::milliseconds kRefusalDelay{1000};
  // Failures for one name from one address, or IPv6 network of 64 bits; from one such; from one IPv6 network
  // of 48 bits.
  static constexpr Throttle::Terms kOfName{20, 0.2, 3};
  static constexpr Throttle::Terms kOfAddress{60, 0.5, 8};
  static constexpr Throttle::Terms kOfSite{240, 2, 32};

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
  // Who asks, as keys of the throttles.
  struct Asker {
    std::string address, site, name;  // site: empty with IPv4; name: with the address
  };
  struct Hashing {
    IpAddress client;  // the one that asked first
    Asker asker;
    std::vector<Done> waiting;  // all that asked the same meanwhile
  };

  void follow_file();
  Digest digest(const Credentials& credentials) const;
  const config::NodeUser* remembered(const Digest& digest);
  void remember(const Digest& digest, const std::string& name);
  static Asker asker_of(const IpAddress& client, const std::string& name);
  std::optional<std::chrono::milliseconds> take_tokens(const Asker& asker);
  void give_back(const Asker& asker);
  void hash_later(std::chrono::milliseconds wait, std::shared_ptr<const Users> users, const Credentials& credentials,
                  const Digest& digest);
  void give_up(const Digest& digest);
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
  Throttle of_names_{kOfName}, of_addresses_{kOfAddress}, of_sites_{kOfSite};
  std::set<std::string> known_;  // Asker::name of those that have logged in
  Workers workers_;
};

}  // namespace asperanoded
