// resolver: resolves names in its own threads, within a time limit, so that a silent name server
// delays only requests that need it.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/address.h"
#include "timer.h"
#include "workers.h"

namespace asperanoded {

// In the resolver's order, each once; none also when the resolver fails. If the resolver takes `name`
// for an address in some writing (127.1), there is none: base/address.h parses addresses.
std::vector<IpAddress> addresses_of(const std::string& name);

class Resolver {
 public:
  static constexpr std::chrono::milliseconds kPatience{5000};
  // Options of resolv.conf(5): a thread is free again after about that time.
  static constexpr char kOptions[] = "timeout:2 attempts:2";

  // Gets no addresses when there are none, or none came in time.
  using Done = std::function<void(std::vector<IpAddress>)>;

  explicit Resolver(Timer& timer);

  // False: too many names are being resolved. Otherwise `done` is called once, in another thread; it must not
  // throw.
  bool resolve(const std::string& name, Done done);
  void stop() { workers_.stop(); }

 private:
  Timer& timer_;
  Workers workers_;
};

}  // namespace asperanoded
