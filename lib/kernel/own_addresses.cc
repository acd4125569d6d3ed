#include "kernel/own_addresses.h"

#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <memory>
#include <optional>

#include "base/failure.h"
#include "base/netlink.h"

namespace {

bool is_ip(const sockaddr* address) {
  return address && (address->sa_family == AF_INET || address->sa_family == AF_INET6);
}

Network one(const IpAddress& address) { return {address, address.is_v4() ? 32 : 128}; }

// The prefix length of a netmask, in either family.
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

using Interfaces = std::unique_ptr<ifaddrs, decltype(&freeifaddrs)>;

Interfaces interfaces() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) tool::fail_errno(tool::os, "read the host's addresses");
  return {list, freeifaddrs};
}

void add_interfaces(std::vector<Network>& found) {
  const auto list = interfaces();
  for (const ifaddrs* i = list.get(); i; i = i->ifa_next) {
    if (!is_ip(i->ifa_addr)) continue;
    const IpAddress address = IpAddress::from_sockaddr(*i->ifa_addr);
    found.push_back(one(address));
    if ((i->ifa_flags & IFF_BROADCAST) && is_ip(i->ifa_broadaddr))
      found.push_back(one(IpAddress::from_sockaddr(*i->ifa_broadaddr)));
    // A network of one or two addresses has no such address (RFC 3021, RFC 6164).
    const int prefix = is_ip(i->ifa_netmask) ? bits(IpAddress::from_sockaddr(*i->ifa_netmask)) : 128;
    if (prefix < (address.is_v4() ? 31 : 127)) found.push_back(one(first_of(address, prefix)));
  }
}

// Strict, so that the kernel sends only this table, not all of them.
void add_routes(std::vector<Network>& found, std::uint8_t family) {
  netlink::Question question(RTM_GETROUTE, NLM_F_DUMP);
  auto& route = question.header<rtmsg>();
  route.rtm_family = family;
  route.rtm_table = RT_TABLE_LOCAL;
  const auto add = [&](const nlmsghdr* message) {
    if (const auto network = own_addresses::network_in(message)) found.push_back(*network);
  };
  const int error = netlink::ask(NETLINK_ROUTE, question, add, true);
  if (error == 0 || error == ENOENT) return;  // there is no such table, as before the first interface is up
  if (family == AF_INET6 && (error == EAFNOSUPPORT || error == EOPNOTSUPP)) return;  // there is no IPv6
  errno = error;
  tool::fail_errno(tool::os, "read the routing table local");
}

}  // namespace

namespace own_addresses {

std::optional<Network> network_in(const nlmsghdr* message) {
  const auto* const route = netlink::payload<rtmsg>(message);
  if (message->nlmsg_type != RTM_NEWROUTE || !route) return std::nullopt;
  if (route->rtm_type != RTN_LOCAL && route->rtm_type != RTN_BROADCAST && route->rtm_type != RTN_ANYCAST)
    return std::nullopt;
  const bool v4 = route->rtm_family == AF_INET;
  if (route->rtm_dst_len > (v4 ? 32 : 128)) return std::nullopt;
  // A route without a destination is for all addresses (AnyIP in tests, TPROXY). It does not tell whose they
  // are.
  std::optional<Network> found;
  netlink::each_attribute<rtmsg>(message, [&](const nlattr* attribute) {
    if (::mnl_attr_get_type(attribute) != RTA_DST || ::mnl_attr_get_payload_len(attribute) != (v4 ? 4 : 16)) return;
    const void* const bytes = ::mnl_attr_get_payload(attribute);
    const IpAddress base = v4 ? IpAddress::from_v4(bytes) : IpAddress::from_v6(bytes);
    // An IPv4 address mapped into IPv6 is none on the wire, and the length would be another.
    if (base.is_v4() == v4) found = Network{base, route->rtm_dst_len};
  });
  return found;
}

std::vector<Network> read() {
  std::vector<Network> found;
  add_interfaces(found);
  add_routes(found, AF_INET);
  add_routes(found, AF_INET6);
  return found;
}

std::vector<Network> connected() {
  std::vector<Network> found;
  const auto list = interfaces();
  for (const ifaddrs* i = list.get(); i; i = i->ifa_next) {
    if (!is_ip(i->ifa_addr) || (i->ifa_flags & IFF_LOOPBACK)) continue;
    const IpAddress address = IpAddress::from_sockaddr(*i->ifa_addr);
    const int prefix = is_ip(i->ifa_netmask) ? bits(IpAddress::from_sockaddr(*i->ifa_netmask)) : 0;
    if (prefix > 0) found.push_back({first_of(address, prefix), prefix});
    if ((i->ifa_flags & IFF_POINTOPOINT) && is_ip(i->ifa_dstaddr))
      found.push_back(one(IpAddress::from_sockaddr(*i->ifa_dstaddr)));
  }
  return found;
}

}  // namespace own_addresses
