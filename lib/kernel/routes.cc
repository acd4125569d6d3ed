#include "kernel/routes.h"

#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>

#include "base/failure.h"
#include "base/netlink.h"

namespace routes {
namespace {

std::optional<std::string> name_of(unsigned index) {
  char name[IF_NAMESIZE] = "";
  if (index == 0 || !::if_indextoname(index, name)) return std::nullopt;
  return name;
}

// The interfaces of a route, which has several if it leads by several ways.
std::set<std::string> outputs_of(const nlmsghdr* message) {
  std::set<std::string> found;
  const auto add = [&](unsigned index) {
    if (auto name = name_of(index)) found.insert(std::move(*name));
  };
  netlink::each_attribute<rtmsg>(message, [&](const nlattr* attribute) {
    const auto type = ::mnl_attr_get_type(attribute);
    const auto size = static_cast<int>(::mnl_attr_get_payload_len(attribute));
    if (type == RTA_OIF && size == sizeof(std::uint32_t)) add(::mnl_attr_get_u32(attribute));
    if (type != RTA_MULTIPATH) return;
    const auto* hop = static_cast<const rtnexthop*>(::mnl_attr_get_payload(attribute));
    for (int left = size; RTNH_OK(hop, left); left -= RTNH_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop))
      add(static_cast<unsigned>(hop->rtnh_ifindex));
  });
  return found;
}

// EAFNOSUPPORT and the like: there is no IPv6. ENETUNREACH and the like: there is no route.
bool is_no_route(int error) {
  return error == ENETUNREACH || error == EHOSTUNREACH || error == EAFNOSUPPORT || error == EOPNOTSUPP ||
         error == ENOENT || error == ESRCH || error == EACCES || error == EINVAL;
}

void check(int error) {
  if (error == 0 || is_no_route(error)) return;
  errno = error;
  tool::fail_errno(tool::os, "ask for a route");
}

template <typename Each>
void each_interface(Each each) {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) tool::fail_errno(tool::os, "read the host's addresses");
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> holder(list, ::freeifaddrs);
  for (const ifaddrs* i = list; i; i = i->ifa_next) {
    if ((i->ifa_flags & IFF_LOOPBACK) == 0) each(*i);
  }
}

}  // namespace

std::optional<std::string> interface_to(const IpAddress& address) {
  netlink::Question question(RTM_GETROUTE, 0);
  auto& route = question.header<rtmsg>();
  route.rtm_family = static_cast<unsigned char>(address.family());
  route.rtm_dst_len = address.is_v4() ? 32 : 128;
  ::mnl_attr_put(question.get(), RTA_DST, address.is_v4() ? 4 : 16, address.bytes());
  std::set<std::string> found;
  check(netlink::ask(NETLINK_ROUTE, question, [&](const nlmsghdr* message) {
    const auto* const answer = netlink::payload<rtmsg>(message);
    if (message->nlmsg_type == RTM_NEWROUTE && answer && answer->rtm_type == RTN_UNICAST) found = outputs_of(message);
  }));
  if (found.empty()) return std::nullopt;
  return *found.begin();
}

std::set<std::string> default_interfaces(int family) {
  netlink::Question question(RTM_GETROUTE, NLM_F_DUMP);
  question.header<rtmsg>().rtm_family = static_cast<unsigned char>(family);
  std::set<std::string> found;
  check(netlink::ask(NETLINK_ROUTE, question, [&](const nlmsghdr* message) {
    const auto* const route = netlink::payload<rtmsg>(message);
    if (message->nlmsg_type != RTM_NEWROUTE || !route || route->rtm_dst_len != 0 || route->rtm_type != RTN_UNICAST)
      return;
    found.merge(outputs_of(message));
  }));
  return found;
}

std::set<std::string> interfaces_with(const Network& network) {
  std::set<std::string> found;
  each_interface([&](const ifaddrs& interface) {
    const sockaddr* const address = interface.ifa_addr;
    if (!address || (address->sa_family != AF_INET && address->sa_family != AF_INET6)) return;
    if (network.contains(IpAddress::from_sockaddr(*address))) found.insert(interface.ifa_name);
  });
  return found;
}

std::set<std::string> interfaces_with_addresses() {
  std::set<std::string> found;
  each_interface([&](const ifaddrs& interface) {
    const sockaddr* const address = interface.ifa_addr;
    const bool v6 = address && address->sa_family == AF_INET6 &&
                    !IN6_IS_ADDR_LINKLOCAL(&reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr);
    if (v6 || (address && address->sa_family == AF_INET)) found.insert(interface.ifa_name);
  });
  return found;
}

std::set<std::string> all_interfaces() {
  std::set<std::string> found;
  each_interface([&](const ifaddrs& interface) { found.insert(interface.ifa_name); });
  return found;
}

}  // namespace routes
