// rendezvous: how a session's two ends find each other over UDP when many sessions share one port of
// the server and NAT may be between them.
//
// Every waiting server process binds the port (SO_REUSEADDR, unconnected) and the kernel hands each
// hello to one of them. That process passes it to the one it is for, by an abstract Unix socket named
// after the session. A process that gets its own hello, either way, makes a second socket on the port,
// connected to the hello's source. From then on the kernel prefers that socket for exactly this pair
// of addresses, and all others never see its packets.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <sys/socket.h>

#include "base/address.h"
#include "base/fd.h"

namespace asp_cp {

struct Peer {
  Fd udp;  // bound to the port, connected to the client
  std::uint8_t candidate = 0;
  std::string from;  // for the log
};

// The server's end.
class Meeting {
 public:
  // Failure{71} when the port cannot be bound.
  Meeting(Port port, std::string session, std::string passphrase);

  // Waits for the session's hello. Failure{69} after `patience`.
  Peer wait(std::chrono::milliseconds patience, const std::function<void()>& tick);

 private:
  void listen_on(int family);
  Peer* hear(int fd, int family);
  Peer* hear_neighbour();
  Peer* consider(const std::string& datagram, const sockaddr_storage& here, const sockaddr_storage& there);

  Port port_;
  std::string session_;
  std::string passphrase_;
  Fd neighbours_;
  std::vector<std::pair<Fd, int>> sockets_;  // with their families
  Peer peer_;
};

// The client's end.
//
// It says hello every kKnockEvery, for at most kUdpPatience; people read of a failure within 15 s.
constexpr std::chrono::milliseconds kKnockEvery{100};
constexpr std::chrono::seconds kUdpPatience{10};

class Knocker {
 public:
  // `host` is an address or a name. Failure{69} when it cannot be resolved.
  Knocker(const std::string& host, Port port);

  // Sends a hello to every address.
  void knock(const std::string& session, const std::string& passphrase) const;
  // The socket that reached the server, connected to it. Failure{65} when there is no such candidate.
  Fd take(std::uint64_t candidate);

 private:
  struct Candidate {
    sockaddr_storage address;
    socklen_t length;
  };
  const Fd* socket_of(int family) const;

  std::vector<Candidate> candidates_;
  std::vector<std::pair<Fd, int>> sockets_;
};

}  // namespace asp_cp
