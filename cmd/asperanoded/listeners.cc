#include "listeners.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <set>

#include <fmt/core.h>

#include "base/failure.h"

namespace asperanoded {
namespace listeners {
namespace {

[[noreturn]] void fail(const std::string& where, int error) {
  const char* cure = "";
  tool::Exit code = tool::os;
  if (error == EADDRINUSE)
    cure = ": another program listens there (ss -ltnp says which), or choose other ports in <server> of aspera.conf";
  if (error == EADDRNOTAVAIL) {
    cure = ": this host has no such address; mend <bind_ip_address> or <listen>";
    code = tool::config;
  }
  throw tool::Failure(code, fmt::format("bind {}: {}{}", where, std::strerror(error), cure));
}

// An Fd without a socket: the host does not have that family.
Fd bind_one(const Endpoint& at) {
  Fd socket(::socket(at.ip.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket && errno == EAFNOSUPPORT) return socket;
  if (!socket) tool::fail_errno(tool::os, "socket");
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (!at.ip.is_v4()) ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  sockaddr_storage address{};
  const socklen_t length = at.to_sockaddr(address);
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), length) == 0) return socket;
  if (errno == EADDRNOTAVAIL && at.ip == *IpAddress::parse("::")) return Fd();  // IPv6 is switched off
  fail(at.text(), errno);
}

std::vector<IpAddress> addresses_of(const config::Listener& listener, const config::Proxy& proxy) {
  const auto& address = listener.address ? listener.address : proxy.bind_ip_address;
  const auto any4 = *IpAddress::parse("0.0.0.0");
  const auto any6 = *IpAddress::parse("::");
  if (!address) return {any4, any6};
  return {*address};
}

}  // namespace

std::vector<node_api::Listening> bind_all(const config::Config& config) {
  if (config.node.listeners.empty()) {
    throw tool::Failure(tool::config,
                        "no listeners: set <enable_http> or <enable_https> to true in <server> of aspera.conf");
  }
  std::vector<node_api::Listening> all;
  for (const auto& listener : config.node.listeners) {
    bool any = false;
    for (const auto& ip : addresses_of(listener, config.proxy)) {
      Fd socket = bind_one({ip, listener.port});
      any = any || socket;
      if (socket) all.push_back({std::move(socket), listener.tls});
    }
    if (!any)
      throw tool::Failure(tool::os, fmt::format("bind port {}: the host knows neither IPv4 nor IPv6", listener.port));
  }
  return all;
}

std::string text(const config::Node& node) {
  std::string out;
  std::set<std::string> seen;
  for (const auto& listener : node.listeners) {
    const std::string one = fmt::format("{}{}", listener.port, listener.tls ? "s" : "");
    if (seen.insert(one).second) out += (out.empty() ? "" : ",") + one;
  }
  return out;
}

bool any_tls(const config::Node& node) {
  for (const auto& listener : node.listeners) {
    if (listener.tls) return true;
  }
  return false;
}

}  // namespace listeners
}  // namespace asperanoded
