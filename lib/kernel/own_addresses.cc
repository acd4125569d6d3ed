#include "kernel/own_addresses.h"

#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "base/failure.h"
#include "base/fd.h"

namespace {

constexpr char kWhat[] = "read the routing table local";

bool is_ip(const sockaddr* address) {
  return address && (address->sa_family == AF_INET || address->sa_family == AF_INET6);
}

Network one(const IpAddress& address) { return {address, address.is_v4() ? 32 : 128}; }

// Of a netmask, in either family.
int bits(const IpAddress& mask) {
  int count = 0;
  for (int i = 0; i < (mask.is_v4() ? 4 : 16); ++i) count += std::popcount(mask.bytes()[i]);
  return count;
}

IpAddress first_of(const IpAddress& address, int prefix) {
  std::array<std::uint8_t, 16> raw{};
  const int size = address.is_v4() ? 4 : 16;
  for (int i = 0; i < size; ++i) {
    const int kept = std::min(8, std::max(0, prefix - 8 * i));
    raw[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(address.bytes()[i] & (0xff00 >> kept));
  }
  return address.is_v4() ? IpAddress::from_v4(raw.data()) : IpAddress::from_v6(raw.data());
}

void add_interfaces(std::vector<Network>& found) {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) tool::fail_errno(tool::os, "read the host's addresses");
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> holder(list, freeifaddrs);
  for (const ifaddrs* i = list; i; i = i->ifa_next) {
    if (!is_ip(i->ifa_addr)) continue;
    const IpAddress address = IpAddress::from_sockaddr(*i->ifa_addr);
    found.push_back(one(address));
    if ((i->ifa_flags & IFF_BROADCAST) && is_ip(i->ifa_broadaddr))
      found.push_back(one(IpAddress::from_sockaddr(*i->ifa_broadaddr)));
    // A network of one or two has no such address (RFC 3021, RFC 6164).
    const int prefix = is_ip(i->ifa_netmask) ? bits(IpAddress::from_sockaddr(*i->ifa_netmask)) : 128;
    if (prefix < (address.is_v4() ? 31 : 127)) found.push_back(one(first_of(address, prefix)));
  }
}

struct Request {
  nlmsghdr header;
  rtmsg route;
};

Fd ask(std::uint8_t family) {
  Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket) tool::fail_errno(tool::os, kWhat);
  // So that the kernel sends this table alone, not all of them.
  const int on = 1;
  if (::setsockopt(socket.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on) != 0)
    tool::fail_errno(tool::os, kWhat);
  Request request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = RTM_GETROUTE;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.route.rtm_family = family;
  request.route.rtm_table = RT_TABLE_LOCAL;
  if (::send(socket.get(), &request, sizeof request, 0) != sizeof request) tool::fail_errno(tool::os, kWhat);
  return socket;
}

std::optional<Network> network_of(const nlmsghdr* message) {
  const auto* route = static_cast<const rtmsg*>(NLMSG_DATA(message));
  if (route->rtm_type != RTN_LOCAL && route->rtm_type != RTN_BROADCAST && route->rtm_type != RTN_ANYCAST)
    return std::nullopt;
  int left = static_cast<int>(RTM_PAYLOAD(message));
  for (const rtattr* a = RTM_RTA(route); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
    if (a->rta_type != RTA_DST) continue;
    const void* bytes = RTA_DATA(a);
    return Network{route->rtm_family == AF_INET ? IpAddress::from_v4(bytes) : IpAddress::from_v6(bytes),
                   route->rtm_dst_len};
  }
  // Without a destination it is for all addresses (AnyIP in tests, TPROXY):
  // that says nothing about whose they are.
  return std::nullopt;
}

// Both begin with an error number, negated; a dump that failed on its way ends with
// NLMSG_DONE.
void check_end(const nlmsghdr* message, std::uint8_t family) {
  int error = 0;
  if (message->nlmsg_len >= NLMSG_LENGTH(sizeof error)) std::memcpy(&error, NLMSG_DATA(message), sizeof error);
  errno = -error;
  if (error == 0 || errno == ENOENT) return;  // there is no such table, as before the first interface is up
  if (family == AF_INET6 && (errno == EAFNOSUPPORT || errno == EOPNOTSUPP)) return;  // nor IPv6
  tool::fail_errno(tool::os, kWhat);
}

void add_routes(std::vector<Network>& found, std::uint8_t family) {
  const Fd socket = ask(family);
  alignas(nlmsghdr) char buffer[32 * 1024];
  for (;;) {
    const ssize_t got = ::recv(socket.get(), buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) tool::fail_errno(tool::os, kWhat);
    auto left = static_cast<unsigned>(got);
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR) {
        check_end(message, family);
        return;
      }
      if (message->nlmsg_type != RTM_NEWROUTE) continue;
      if (const auto network = network_of(message)) found.push_back(*network);
    }
  }
}

}  // namespace

namespace own_addresses {

std::vector<Network> read() {
  std::vector<Network> found;
  add_interfaces(found);
  add_routes(found, AF_INET);
  add_routes(found, AF_INET6);
  return found;
}

}  // namespace own_addresses
