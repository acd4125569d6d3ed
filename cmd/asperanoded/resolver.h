// resolver: names resolved in threads of its own, within a time limit, so that a
// name server that does not answer holds nobody up who needs none.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/address.h"
#include "timer.h"
#include "workers.h"

namespace asperanoded {

// In the resolver's order, each once; none also when it cannot say. What the resolver takes
// for an address in some writing (127.1) has none: base/address.h parses those.
std::vector<IpAddress> addresses_of(const std::string& name);

class Resolver {
 public:
  static constexpr std::chrono::milliseconds kPatience{5000};
  // What resolv.conf(5) calls options: a thread is free again after about that time.
  static constexpr char kOptions[] = "timeout:2 attempts:2";

  // No addresses: there are none, or nobody said in time.
  using Done = std::function<void(std::vector<IpAddress>)>;

  explicit Resolver(Timer& timer);

  // False: too many names are being looked for. Otherwise `done` is called once,
  // in another thread; it must not throw.
  bool resolve(const std::string& name, Done done);
  void stop() { workers_.stop(); }

 private:
  Timer& timer_;
  Workers workers_;
};

}  // namespace asperanoded
