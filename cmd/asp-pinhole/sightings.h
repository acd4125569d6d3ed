// sightings: the UDP flows of one client address, before and after its rule comes
// into force. A look through the kernel's table takes as long as its hash is large,
// so there is one, in a thread of its own, while the session waits for others
// anyway. What comes after it, the kernel's events tell, and then a flow is asked
// for by its ends.
#pragma once

#include <future>
#include <vector>

#include "base/address.h"
#include "kernel/conntrack.h"

class Sightings {
 public:
  // Looks from here on. Failure{71}, here and below.
  explicit Sightings(const IpAddress& client);

  // Readable (poll) when there may be new flows.
  int fd() const { return watch_.fd(); }

  // To be called once each, just before the rule comes into force and just after:
  // flows of any mark that were there or came before the first, some of which are
  // over already, and those that came between the two. From here on news() tells
  // of flows that the suite marked alone.
  void before_rule();
  struct Early {
    std::vector<conntrack::Flow> old;
    std::vector<conntrack::Flow> fresh;
  };
  Early after_rule();
  // Those that came since. Where the kernel lost some: all that are there.
  std::vector<conntrack::Flow> news();

  // What present() shall say of; other flows are no concern of the session.
  void remember(const conntrack::Flow& flow);
  // Those of them that are there still, as they are now. All of the client's that
  // the suite marked, where the kernel lost events, has them switched off
  // (net.netfilter.nf_conntrack_events), or there were too many.
  std::vector<conntrack::Flow> present() const;

 private:
  conntrack::Watch::News read();

  IpAddress client_;
  conntrack::Watch watch_;
  std::future<std::vector<conntrack::Flow>> first_look_;
  std::vector<conntrack::Flow> waiting_;  // came while we waited for the rule
  std::vector<conntrack::Flow> remembered_;
  bool complete_;  // what is remembered is all there is
};
