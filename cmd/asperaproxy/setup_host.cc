#include "setup_host.h"

#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <set>

#include "base/child.h"
#include "base/env.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/resolve.h"
#include "firewall/border.h"
#include "kernel.h"
#include "kernel/routes.h"
#include "who/proxy_account.h"

namespace asperaproxy::setup {
namespace {

constexpr std::size_t kMostText = 16 * 1024 * 1024;

struct Own {
  std::string interface;
  IpAddress address;
};

bool is_link_local(const sockaddr& address) {
  return address.sa_family == AF_INET6 &&
         IN6_IS_ADDR_LINKLOCAL(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
}

std::vector<Own> own() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) tool::fail_errno(tool::os, "read the host's addresses");
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> holder(list, ::freeifaddrs);
  std::vector<Own> found;
  for (const ifaddrs* i = list; i; i = i->ifa_next) {
    if ((i->ifa_flags & IFF_LOOPBACK) != 0 || !i->ifa_addr) continue;
    const int family = i->ifa_addr->sa_family;
    if ((family != AF_INET && family != AF_INET6) || is_link_local(*i->ifa_addr)) continue;
    found.push_back({i->ifa_name, IpAddress::from_sockaddr(*i->ifa_addr)});
  }
  return found;
}

}  // namespace

Text text_of(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  if (!file) tool::fail_errno(tool::os, "open " + path);
  return io::read_all(file.get(), kMostText, path);
}

std::vector<IpAddress> own_addresses() {
  std::vector<IpAddress> addresses;
  for (const auto& one : own()) addresses.push_back(one.address);
  return addresses;
}

std::vector<IpAddress> addresses_outside(const std::vector<HostPort>& servers) {
  std::set<std::string> inside;
  bool v4 = servers.empty(), v6 = servers.empty();
  for (const auto& server : servers) {
    for (const auto& address : addresses_of(server)) {
      (address.is_v4() ? v4 : v6) = true;
      if (const auto interface = routes::interface_to(address)) inside.insert(*interface);
    }
  }
  std::set<std::string> outside = routes::default_interfaces(AF_INET);
  outside.merge(routes::default_interfaces(AF_INET6));
  std::vector<IpAddress> chosen, others, all;
  for (const auto& one : own()) {
    if (!(one.address.is_v4() ? v4 : v6)) continue;  // the kernel translates no UDP between IPv4 and IPv6
    all.push_back(one.address);
    if (!inside.contains(one.interface)) others.push_back(one.address);
    if (outside.contains(one.interface)) chosen.push_back(one.address);
  }
  return !chosen.empty() ? chosen : !others.empty() ? others : all;
}

std::optional<IpAddress> address_inside(const std::vector<HostPort>& servers) {
  for (const auto& server : servers) {
    for (const auto& address : addresses_of(server)) {
      if (const auto ours = address_towards(address)) return ours;
    }
  }
  std::set<std::string> outside = routes::default_interfaces(AF_INET);
  outside.merge(routes::default_interfaces(AF_INET6));
  std::vector<IpAddress> inside;
  for (const auto& one : own()) {
    if (one.address.is_v4() && !outside.contains(one.interface)) inside.push_back(one.address);
  }
  if (inside.size() != 1 || outside.empty()) return std::nullopt;
  return inside[0];
}

std::vector<IpAddress> addresses_of(const HostPort& server) {
  if (const auto address = IpAddress::parse(server.host)) return {*address};
  return resolve::addresses_of(server.host, AF_UNSPEC, std::chrono::seconds(5));
}

std::optional<IpAddress> address_towards(const IpAddress& address) {
  const Fd socket(::socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_storage storage{};
  socklen_t size = Endpoint{address, 9}.to_sockaddr(storage);  // no packet is sent
  auto* const generic = reinterpret_cast<sockaddr*>(&storage);
  if (!socket || ::connect(socket.get(), generic, size) != 0) return std::nullopt;
  size = sizeof storage;
  if (::getsockname(socket.get(), generic, &size) != 0) return std::nullopt;
  return IpAddress::from_sockaddr(*generic);
}

bool forwards_for_others() { return !firewall::border::recorded() && (forwards(AF_INET) || forwards(AF_INET6)); }

bool has_terminal() { return static_cast<bool>(Fd(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY))); }

bool is_user_name(const std::string& text) { return proxy_account::is_name(text); }

std::string fingerprint_of(const std::string& public_key) {
  constexpr int kSeconds = 10;
  const auto answer = child::run({{"/usr/bin/ssh-keygen", "-l", "-f", "-"}, env::allow({}), {}}, public_key + "\n",
                                 64 * 1024, kSeconds);
  return answer.status == 0 ? answer.out.substr(0, answer.out.find('\n')) : "";
}

}  // namespace asperaproxy::setup
