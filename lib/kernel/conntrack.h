// kernel/conntrack: the kernel's table of flows, read, watched and pruned. The only
// user of libnetfilter_conntrack. Flows are UDP flows; TCP flows are mentioned where they
// are included. Needs root (CAP_NET_ADMIN); every failure is Failure{71}.
//
//   original  198.51.100.10:56393 ─▶ 198.51.100.39:33001   (client ─▶ proxy)
//   reply     203.0.113.10:33001  ─▶ 203.0.113.1:56393     (server ─▶ masquerade)
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/address.h"

struct nfct_handle;
struct nlmsghdr;

namespace conntrack {

struct Counters {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;  // of IP packets, headers included
};

struct Flow {
  std::uint8_t protocol = 17;  // IPPROTO_UDP or IPPROTO_TCP
  Endpoint client;             // source of the original direction
  Endpoint proxy;              // its destination, before translation
  Endpoint server;             // source of the reply direction: where the flow was sent to
  std::uint32_t mark = 0;
  std::uint32_t id = 0;
  bool answered = false;  // a packet has come back
  // Both directions together; absent when net.netfilter.nf_conntrack_acct is 0, and then each direction is 0.
  std::optional<Counters> counters;
  Counters to_server;
  Counters to_client;

  bool translated() const { return server != proxy; }
};

// The table itself.
class Table {
 public:
  Table();
  ~Table();
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  // All flows of `family` (AF_INET or AF_INET6) whose mark has any bit of `mark`; the kernel filters. 0: flows
  // of every mark.
  std::vector<Flow> list(int family, std::uint32_t mark) const;
  // Only those of one client address. With IPv4 the kernel (5.8) returns no others, so that it costs less in a
  // full table.
  std::vector<Flow> list(const IpAddress& client, std::uint32_t mark) const;
  // All flows of `family` by `mark`, including TCP.
  std::vector<Flow> list_with_tcp(int family, std::uint32_t mark) const;
  // UDP and TCP flows of that client to that address of ours, of every mark.
  std::vector<Flow> list_between(const IpAddress& client, const IpAddress& proxy) const;
  // The flow between exactly these two ends, if there is one. It costs the same in a full table as in an empty
  // one.
  std::optional<Flow> find(const Endpoint& client, const Endpoint& proxy) const;
  // True if it was `peer` that began the TCP connection between these two ends; false if `ours` did, or if the
  // kernel does not track it.
  bool was_begun_by(const Endpoint& peer, const Endpoint& ours) const;
  // False: it was gone already, or its tuple belongs to a younger flow.
  bool remove(const Flow& flow) const;

 private:
  nfct_handle* handle_;
};

// Pure. The flow of UDP or TCP that a message of the kernel has. Absent: it has another, or another form.
std::optional<Flow> flow_in(const nlmsghdr* message);

// True if the kernel reports new flows at all (net.netfilter.nf_conntrack_events).
bool has_events();

// Reports the flows of one client address: when they begin, and when they are answered first. The kernel filters,
// so other flows wake nobody.
class Watch {
 public:
  // Reports only flows whose mark has any bit of `mark`; 0: flows of every mark.
  explicit Watch(const IpAddress& client, std::uint32_t mark = 0);
  // From the next flow on, acts as if made with `mark`.
  void narrow(const IpAddress& client, std::uint32_t mark);

  // Readable (poll) when there may be flows.
  int fd() const;
  struct News {
    std::vector<Flow> begun;
    std::vector<Flow> answered;  // a packet has come back
    bool lost = false;           // the socket overflowed: list the table instead
    bool more = false;           // there may be more to read at once
  };
  // The news since the last call; some 500 flows at most, so that nobody can keep us here.
  News read();

 private:
  void read_the_rest();

  std::unique_ptr<nfct_handle, int (*)(nfct_handle*)> handle_;
};

}  // namespace conntrack
