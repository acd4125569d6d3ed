// held_lease: a lease for as long as we use it. It is renewed on time, and given back however the
// program ends.
#pragma once

#include <memory>
#include <string>

#include "api.h"
#include "base/await.h"
#include "base/fd.h"

namespace forward {

class HeldLease {
 public:
  // Fails as Api::open does. `api` must outlive it.
  HeldLease(Api& api, const Wanted& wanted);
  HeldLease(const HeldLease&) = delete;
  // Gives the lease back. A failure is one line on stderr.
  ~HeldLease();

  const Leased& leased() const { return leased_; }
  // Leaves the lease to the user: it will not be given back.
  void keep() { give_back_ = false; }

  // What a loop has to wait for, and to call after each turn.
  struct Awaited {
    await::On timer, renewal;
  };
  Awaited awaited() const;
  void tend();
  // True if the proxy no longer has the lease.
  bool lost() const { return lost_; }

 private:
  void renew();
  void renewed(const node_client::Answer& answer);
  void not_renewed(const std::string& why);
  void schedule(std::chrono::milliseconds from_now);
  void schedule_next();
  std::string bound() const;

  Api& api_;
  Leased leased_;
  Fd timer_;
  std::unique_ptr<node_client::Exchange> renewal_;
  bool give_back_ = true;
  bool lost_ = false;
  bool in_trouble_ = false;  // the last renewal failed, and that was reported
};

// Prints one line on stderr, escaped.
void say(const std::string& line);

}  // namespace forward
