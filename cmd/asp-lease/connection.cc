#include "connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/failure.h"
#include "kernel/conntrack.h"
#include "refusal.h"

namespace {

[[noreturn]] void refuse(const std::string& why) { throw Refusal{"bad_request", why}; }

template <typename Value>
std::optional<Value> option_of(const Fd& socket, int level, int name) {
  Value value{};
  socklen_t size = sizeof value;
  if (::getsockopt(socket.get(), level, name, &value, &size) != 0) return std::nullopt;
  return value;
}

// Refuses sockets of other network namespaces: in a namespace of their own, anybody has any address.
bool is_of_this_network(const Fd& socket) {
  const Fd probe(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto here = option_of<std::uint64_t>(probe, SOL_SOCKET, SO_NETNS_COOKIE);
  if (!here) tool::fail_errno(tool::os, "ask for the network namespace");
  return option_of<std::uint64_t>(socket, SOL_SOCKET, SO_NETNS_COOKIE) == here;
}

bool is_established(const Fd& socket) {
  const auto family = option_of<int>(socket, SOL_SOCKET, SO_DOMAIN);
  if (family != AF_INET && family != AF_INET6) return false;
  if (option_of<int>(socket, SOL_SOCKET, SO_PROTOCOL) != IPPROTO_TCP) return false;
  const auto info = option_of<tcp_info>(socket, IPPROTO_TCP, TCP_INFO);
  return info && info->tcpi_state == TCP_ESTABLISHED;
}

using Name = int (*)(int, sockaddr*, socklen_t*);

Endpoint end_of(const Fd& socket, Name name) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  auto* bare = reinterpret_cast<sockaddr*>(&address);
  if (name(socket.get(), bare, &size) != 0) refuse("the connection is gone");
  return Endpoint::from_sockaddr(*bare);
}

bool listens(const config::Config& config, const Endpoint& proxy) {
  return std::any_of(config.node.listeners.begin(), config.node.listeners.end(), [&](const config::Listener& listener) {
    const auto& address = listener.address ? listener.address : config.proxy.bind_ip_address;
    return listener.port == proxy.port && (!address || *address == proxy.ip);
  });
}

}  // namespace

Connection Connection::verify(const Fd& socket, const config::Config& config, const std::vector<Network>& own) {
  if (!socket) refuse("no connection came with the request");
  if (!is_established(socket)) refuse("what came with the request is not an established TCP connection");
  if (!is_of_this_network(socket)) refuse("the connection is of another network namespace");
  const Endpoint proxy = end_of(socket, ::getsockname);
  const Endpoint peer = end_of(socket, ::getpeername);
  const IpAddress client = peer.ip;
  if (!listens(config, proxy)) refuse("the connection was not made to the node service");
  const auto has_client = [&](const Network& network) { return network.contains(client); };
  if (std::any_of(own.begin(), own.end(), has_client))
    throw Refusal{"forbidden", "The proxy itself cannot have a lease."};
  if (!config.proxy.serves(client, proxy.ip))
    throw Refusal{"forbidden", "Only clients of the proxy's own network can have a lease."};
  // The socket does not tell: the account of the node service could have connected from that port itself, to
  // whoever listens at the client's address.
  if (!conntrack::Table().was_begun_by(peer, proxy))
    throw Refusal{"busy", "The proxy has lost track of your connection; connect again."};
  return {client, proxy.ip};
}
