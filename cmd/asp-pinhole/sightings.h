// sightings: the UDP flows of one client address, before and after its rule comes into force. Reading
// the kernel's table takes the longer the larger its hash is, so it is read once, in a thread of its
// own, while the session waits for others anyway. Later flows are learned from the kernel's events,
// and then looked up by their ends.
#pragma once

#include <future>
#include <vector>

#include "base/address.h"
#include "kernel/conntrack.h"

class Sightings {
 public:
  // Starts reading. Failure{71}, here and below.
  explicit Sightings(const IpAddress& client);

  // Readable (poll) when there may be new flows.
  int fd() const { return watch_.fd(); }

  // Call each once, just before the rule comes into force and just after. They return flows of any mark: those
  // that were there or came before the first call, some of which are over already, and those that came between
  // the two. From here on news() reports only flows that the suite marked.
  void before_rule();
  struct Early {
    std::vector<conntrack::Flow> old;
    std::vector<conntrack::Flow> fresh;
  };
  Early after_rule();
  // The flows that came or were answered since, or many of them; all current ones if the kernel lost some.
  std::vector<conntrack::Flow> news();
  // Really those. Only once the rule takes no new ones.
  std::vector<conntrack::Flow> last_news();

  // Adds a flow for present() to report; other flows do not concern the session.
  void remember(const conntrack::Flow& flow);
  // present() does not report it any more.
  void forget(const conntrack::Flow& flow);
  // The remembered flows that still exist, in their current state. If the kernel lost events, has them
  // switched off (net.netfilter.nf_conntrack_events), or there were too many: all of the client's flows that
  // the suite marked.
  std::vector<conntrack::Flow> present() const;

 private:
  conntrack::Watch::News read();

  IpAddress client_;
  conntrack::Watch watch_;
  std::future<std::vector<conntrack::Flow>> first_look_;
  std::vector<conntrack::Flow> waiting_;  // came while we waited for the rule
  std::vector<conntrack::Flow> remembered_;
  bool complete_;  // all existing flows are remembered
};
