#include "base/resolve.h"

#include <netdb.h>

#include <algorithm>
#include <memory>

#include <fmt/core.h>

#include "base/failure.h"

namespace resolve {
namespace {

using List = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

// `code`: 0, or EAI_….
List ask(const std::string& name, int flags, int& code) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* found = nullptr;
  code = ::getaddrinfo(name.c_str(), nullptr, &hints, &found);
  return {code == 0 ? found : nullptr, freeaddrinfo};
}

}  // namespace

std::vector<IpAddress> addresses(const std::string& name) {
  std::vector<IpAddress> found;
  int code = 0;
  if (name.empty() || name.find('\0') != name.npos || ask(name, AI_NUMERICHOST, code)) return found;
  const List list = ask(name, 0, code);
  if (code == EAI_AGAIN || code == EAI_SYSTEM || code == EAI_MEMORY) {
    throw tool::Failure(tool::temporary, fmt::format("resolve {}: {}", name, ::gai_strerror(code)));
  }
  for (const addrinfo* one = list.get(); one; one = one->ai_next) {
    const IpAddress address = IpAddress::from_sockaddr(*one->ai_addr);
    if (std::find(found.begin(), found.end(), address) == found.end()) found.push_back(address);
  }
  return found;
}

bool leads_to(const std::string& name, const IpAddress& address) {
  try {
    const auto found = addresses(name);
    return std::find(found.begin(), found.end(), address) != found.end();
  } catch (const tool::Failure&) {
    return false;
  }
}

}  // namespace resolve
