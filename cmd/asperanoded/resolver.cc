#include "resolver.h"

#include <netdb.h>

#include <algorithm>
#include <atomic>
#include <memory>

namespace asperanoded {
namespace {

constexpr unsigned kResolverThreads = 8;
constexpr std::size_t kResolverQueue = 32;

using List = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

List found(const std::string& name, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* first = nullptr;
  return {::getaddrinfo(name.c_str(), nullptr, &hints, &first) == 0 ? first : nullptr, freeaddrinfo};
}

}  // namespace

std::vector<IpAddress> addresses_of(const std::string& name) {
  std::vector<IpAddress> addresses;
  if (name.empty() || name.find('\0') != name.npos || found(name, AI_NUMERICHOST)) return addresses;
  const List list = found(name, 0);
  for (const addrinfo* one = list.get(); one; one = one->ai_next) {
    const IpAddress address = IpAddress::from_sockaddr(*one->ai_addr);
    if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) addresses.push_back(address);
  }
  return addresses;
}

Resolver::Resolver(Timer& timer) : timer_(timer), workers_(kResolverThreads, kResolverQueue) {}

bool Resolver::resolve(const std::string& name, Done done) {
  const auto told = std::make_shared<std::atomic<bool>>(false);
  const auto once = [told, done = std::move(done)](std::vector<IpAddress> addresses) {
    if (!told->exchange(true)) done(std::move(addresses));
  };
  if (!workers_.post([name, told, once] {
        if (!*told) once(addresses_of(name));
      })) {
    return false;
  }
  timer_.after(kPatience, [once] { once({}); });
  return true;
}
}  // namespace asperanoded
