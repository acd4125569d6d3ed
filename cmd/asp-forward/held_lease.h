// held_lease: a lease for as long as we use it: renewed on time, and given back
// however that ends.
#pragma once

#include <memory>
#include <string>

#include "api.h"
#include "base/await.h"
#include "base/fd.h"

namespace forward {

class HeldLease {
 public:
  // Failure as Api::open. `api` must outlive it.
  HeldLease(Api& api, const Wanted& wanted);
  HeldLease(const HeldLease&) = delete;
  // Gives it back. What goes wrong then is a line on stderr.
  ~HeldLease();

  const Leased& leased() const { return leased_; }
  // Whose business it is from now on; nothing is given back.
  void keep() { ours_ = false; }

  // What a loop is to wait for, and to call after each turn.
  struct Awaited {
    await::On timer, renewal;
  };
  Awaited awaited() const;
  void tend();
  // The proxy has no such lease any more.
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
  bool ours_ = true;
  bool lost_ = false;
  bool in_trouble_ = false;  // the last renewal failed, and that was said
};

// One line on stderr, escaped.
void say(const std::string& line);

}  // namespace forward
