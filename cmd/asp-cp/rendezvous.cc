#include "rendezvous.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>

#include <fmt/core.h>

#include "base/await.h"
#include "base/failure.h"
#include "hello.h"

namespace asp_cp {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kMeetingTick{100};
constexpr std::size_t kMaxCandidates = 8;

// The message from one server process to another.
struct Passed {
  sockaddr_storage here;   // the server's address that the hello came to
  sockaddr_storage there;  // the client's, as seen here
  char hello[kHelloSize];
};

void switch_on(int fd, int level, int option, int value = 1) {
  if (::setsockopt(fd, level, option, &value, sizeof value) != 0) tool::fail_errno(tool::os, "setsockopt");
}

socklen_t length_of(int family) { return family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6); }

// An Fd without a socket when the host has no such family.
Fd udp_socket(int family) {
  Fd fd(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd && errno != EAFNOSUPPORT) tool::fail_errno(tool::os, "create a UDP socket");
  if (!fd) return fd;
  if (family == AF_INET6) switch_on(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY);
  // Without path MTU discovery a narrower path fragments instead of failing.
  if (family == AF_INET) switch_on(fd.get(), IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
  else switch_on(fd.get(), IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
  return fd;
}

sockaddr_storage any_address(int family, Port port) {
  sockaddr_storage address{};
  address.ss_family = static_cast<sa_family_t>(family);
  if (family == AF_INET) reinterpret_cast<sockaddr_in&>(address).sin_port = htons(port);
  else reinterpret_cast<sockaddr_in6&>(address).sin6_port = htons(port);
  return address;
}

const sockaddr* plain_address(const sockaddr_storage& address) { return reinterpret_cast<const sockaddr*>(&address); }

// An abstract name is seen by this network namespace, like the port itself, and disappears with its
// process. There is no file, so no directory's permissions matter.
socklen_t neighbour_address(const std::string& session, sockaddr_un& address) {
  const std::string name = "sallyport/asp-cp/" + session;
  address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
}

// The address of ours that a datagram was sent to; the caller sets the port.
sockaddr_storage destination_of(msghdr& message, int family, Port port) {
  sockaddr_storage here = any_address(family, port);
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) {
      in_pktinfo found;
      std::memcpy(&found, CMSG_DATA(part), sizeof found);
      reinterpret_cast<sockaddr_in&>(here).sin_addr = found.ipi_addr;
    } else if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo found;
      std::memcpy(&found, CMSG_DATA(part), sizeof found);
      auto& in6 = reinterpret_cast<sockaddr_in6&>(here);
      in6.sin6_addr = found.ipi6_addr;
      if (IN6_IS_ADDR_LINKLOCAL(&found.ipi6_addr)) in6.sin6_scope_id = found.ipi6_ifindex;
    }
  }
  return here;
}

// Makes a socket of its own for one client. Between bind and connect it may catch other sessions'
// hellos, which are repeated, and nothing else.
Fd connected_socket(const sockaddr_storage& here, const sockaddr_storage& there) {
  Fd fd = udp_socket(here.ss_family);
  if (!fd) tool::fail_errno(tool::os, "create a UDP socket");
  switch_on(fd.get(), SOL_SOCKET, SO_REUSEADDR);
  if (::bind(fd.get(), plain_address(here), length_of(here.ss_family)) != 0)
    tool::fail_errno(tool::os, "bind the UDP port");
  if (::connect(fd.get(), plain_address(there), length_of(there.ss_family)) != 0)
    tool::fail_errno(tool::os, "connect over UDP");
  return fd;
}

}  // namespace

Meeting::Meeting(Port port, std::string session, std::string passphrase)
    : port_(port),
      session_(std::move(session)),
      passphrase_(std::move(passphrase)),
      neighbours_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  sockaddr_un name;
  const socklen_t length = neighbour_address(session_, name);
  if (!neighbours_ || ::bind(neighbours_.get(), reinterpret_cast<sockaddr*>(&name), length) != 0) {
    tool::fail_errno(tool::os, "bind the session's Unix socket");
  }
  listen_on(AF_INET);
  listen_on(AF_INET6);
  if (sockets_.empty()) throw tool::Failure(tool::os, "this host has no IP address family");
}

// SO_REUSEADDR lets processes of different users share the port, and among equals the kernel then
// prefers the one bound last. SO_REUSEPORT would require one user, and spread hellos (and nothing
// else) by a hash.
void Meeting::listen_on(int family) {
  Fd fd = udp_socket(family);
  if (!fd) return;
  switch_on(fd.get(), SOL_SOCKET, SO_REUSEADDR);
  if (family == AF_INET) switch_on(fd.get(), IPPROTO_IP, IP_PKTINFO);
  else switch_on(fd.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO);
  const auto address = any_address(family, port_);
  if (::bind(fd.get(), plain_address(address), length_of(family)) == 0) sockets_.emplace_back(std::move(fd), family);
  else if (errno != EADDRNOTAVAIL) tool::fail_errno(tool::os, fmt::format("bind UDP port {}", port_));
}

Peer Meeting::wait(milliseconds patience, const std::function<void()>& tick) {
  const auto deadline = Deadline::in(patience);
  while (!deadline.over()) {
    std::vector<await::On> awaited{await::On(neighbours_.get())};
    for (const auto& [fd, family] : sockets_) awaited.emplace_back(fd.get());
    await::any(Deadline::in(kMeetingTick), awaited);
    tick();
    Peer* found = awaited[0] ? hear_neighbour() : nullptr;
    for (std::size_t i = 0; !found && i < sockets_.size(); ++i) {
      if (awaited[i + 1]) found = hear(sockets_[i].first.get(), sockets_[i].second);
    }
    if (found) {
      sockets_.clear();
      neighbours_.reset();
      return std::move(*found);
    }
  }
  throw tool::Failure(tool::unavailable, fmt::format("nothing from the client on UDP port {}", port_));
}

// Handles one datagram: ours, another session's, or noise.
Peer* Meeting::hear(int fd, int family) {
  Passed passed{};
  alignas(cmsghdr) char control[256];
  char bytes[kHelloSize + 1];
  iovec into{bytes, sizeof bytes};
  msghdr message{};
  message.msg_name = &passed.there;
  message.msg_namelen = sizeof passed.there;
  message.msg_iov = &into;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t got = ::recvmsg(fd, &message, 0);
  if (got != static_cast<ssize_t>(kHelloSize)) return nullptr;
  passed.here = destination_of(message, family, port_);
  const std::string datagram(bytes, kHelloSize);
  if (Peer* mine = consider(datagram, passed.here, passed.there)) return mine;

  const auto session = session_of_hello(datagram);
  if (!session || *session == session_) return nullptr;
  std::memcpy(passed.hello, bytes, kHelloSize);
  sockaddr_un name;
  const socklen_t length = neighbour_address(*session, name);
  // If the process is gone or its queue is full, the client sends it again.
  ::sendto(neighbours_.get(), &passed, sizeof passed, MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&name), length);
  return nullptr;
}

Peer* Meeting::hear_neighbour() {
  Passed passed{};
  const ssize_t got = ::recv(neighbours_.get(), &passed, sizeof passed, MSG_TRUNC);
  if (got != static_cast<ssize_t>(sizeof passed)) return nullptr;
  const auto family = passed.here.ss_family;
  if ((family != AF_INET && family != AF_INET6) || passed.there.ss_family != family) return nullptr;
  return consider(std::string(passed.hello, kHelloSize), passed.here, passed.there);
}

Peer* Meeting::consider(const std::string& datagram, const sockaddr_storage& here, const sockaddr_storage& there) {
  const auto candidate = recognise_hello(datagram, session_, passphrase_);
  if (!candidate) return nullptr;
  peer_.candidate = *candidate;
  peer_.from = Endpoint::from_sockaddr(*plain_address(there)).text();
  peer_.udp = connected_socket(here, there);
  return &peer_;
}

Knocker::Knocker(const std::string& host, Port port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) throw tool::Failure(tool::unavailable, fmt::format("{}: {}", host, ::gai_strerror(error)));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  for (const addrinfo* one = found; one && candidates_.size() < kMaxCandidates; one = one->ai_next) {
    if (one->ai_family != AF_INET && one->ai_family != AF_INET6) continue;
    if (!socket_of(one->ai_family)) {
      Fd fd = udp_socket(one->ai_family);
      const auto any = any_address(one->ai_family, 0);
      if (!fd || ::bind(fd.get(), plain_address(any), length_of(one->ai_family)) != 0) continue;
      sockets_.emplace_back(std::move(fd), one->ai_family);
    }
    Candidate candidate{};
    std::memcpy(&candidate.address, one->ai_addr, one->ai_addrlen);
    candidate.length = one->ai_addrlen;
    candidates_.push_back(candidate);
  }
  if (candidates_.empty()) throw tool::Failure(tool::unavailable, fmt::format("{}: no address to send UDP to", host));
}

const Fd* Knocker::socket_of(int family) const {
  for (const auto& [fd, its_family] : sockets_) {
    if (its_family == family) return &fd;
  }
  return nullptr;
}

void Knocker::knock(const std::string& session, const std::string& passphrase) const {
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    const auto& [address, length] = candidates_[i];
    const std::string hello = make_hello(session, static_cast<std::uint8_t>(i), passphrase);
    // An address that cannot be reached at all counts as one that stays silent.
    ::sendto(socket_of(address.ss_family)->get(), hello.data(), hello.size(), 0, plain_address(address), length);
  }
}

Fd Knocker::take(std::uint64_t candidate) {
  if (candidate >= candidates_.size()) throw tool::Failure(tool::bad_input, "protocol: no such candidate");
  const auto& [address, length] = candidates_[candidate];
  for (auto& [fd, family] : sockets_) {
    if (family != address.ss_family) continue;
    if (::connect(fd.get(), plain_address(address), length) != 0)
      tool::fail_errno(tool::unavailable, "connect over UDP");
    return std::move(fd);
  }
  throw tool::Failure(tool::internal, "a candidate without a socket");
}

}  // namespace asp_cp
