// session/session: one living transfer session: the request, the route it took, and
// what the kernel forwards for it. This is the contents of
// /run/sallyport/sessions/UUID and the input of asp-rules; record(5).
//
//   session=3a9fd819-59c3-42bc-b0a2-d26304a1eb84
//   user=bear
//   client=198.51.100.10:51512
//   proxy=198.51.100.39:33001
//   rule=1
//   upstream_user=xfer
//   host=203.0.113.10:22
//   proxy_port=33001
//   udp_port=33001
//   src_port_filtering=true
//   pid=4711
//   holder=4715
//   started=2026-11-22T15:04:05Z
//   opened=81273645000000
//   flow=198.51.100.10:56393 203.0.113.10:33001
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/address.h"
#include "base/record.h"
#include "session/route.h"

namespace session {

// The UDP flow that a session was pinned to: its ends as the kernel sees them on the two sides of the
// proxy.
struct PinnedFlow {
  Endpoint client;
  Endpoint server;
  bool operator==(const PinnedFlow&) const = default;
};

struct Session {
  std::string id;  // UUID, lower case
  std::string user;
  Endpoint client;  // of the SSH connection
  Endpoint proxy;
  Endpoint host;  // the internal server's SSH end
  // The record has the rule, the account, and everything that concerns UDP. It does not have what only
  // connecting needs (key, hosts, times): in a session that was read from a record these are as in Route{}.
  Route route;
  pid_t pid = 0;            // of the process that sshd started for the session
  pid_t holder = 0;         // of its asp-pinhole
  std::string started;      // RFC 3339, UTC
  std::int64_t opened = 0;  // when its rule came into force: CLOCK_MONOTONIC, ns
  std::optional<PinnedFlow> flow;
  // The first of those sessions that were without a flow at the same time, or one after the other, at one
  // server: nobody can tell which of their flows belongs to which. Empty where this session was alone, or is
  // the first. See find_group.
  std::string group;
  // Its SSH session is over; the rule stays for its flow.
  bool lingering = false;

  bool ports_kept() const { return route.proxy_port == 0; }
  // The rule is narrowed to the flow's source port.
  bool pinned() const { return flow && route.src_port_filtering; }

  // True if both are of one group, and have the same ends.
  bool is_rival_of(const Session& other) const;

  // Strict; Failure{65}, also when client, proxy, host and bind_source_address
  // are not all IPv4 or all IPv6.
  static Session from_record(const Record& record);
  Record to_record() const;
};

// True if they have client address, proxy address and server in common, whatever their ports.
bool have_same_ends(const Session& one, const Session& other);
// True if its rule is in force, and it has no flow yet.
bool is_candidate(const Session& session);
// The group of `session`, which is about to open beside `living`: that of the candidates with the same
// ends. Empty when there is none.
//
// All of them are of one group, since each joined those before it, and a session that has had its flow
// is never a candidate again. Ports are ignored on purpose: otherwise one session could belong to two
// groups, if it has the ports of two others that have none in common. So any two sessions whose flows
// may have been mistaken for each other are of one group. A few others are, too, and linger longer
// than necessary.
std::string find_group(const Session& session, const std::vector<Session>& living);

}  // namespace session
