#include "reach.h"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/await.h"
#include "base/deadline.h"
#include "base/failure.h"
#include "base/fd.h"

namespace asp_cp::reach {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPatience{5000};
constexpr std::size_t kMostAddresses = 8;
constexpr std::size_t kMaxBanner = 255;

Tcp kind_of(int error) {
  if (error == ECONNREFUSED) return Tcp::refused;
  if (error == ETIMEDOUT) return Tcp::silent;
  return error == ECONNRESET || error == EPIPE ? Tcp::closed : Tcp::unreachable;
}

// Other lines may precede it, but OpenSSH sends none.
void read_banner(int fd, const Deadline& deadline, Answer& answer) {
  std::string& said = answer.banner;
  answer.tcp = Tcp::silent;
  while (said.find('\n') == said.npos && said.size() < kMaxBanner && await::readable(fd, deadline)) {
    char bytes[kMaxBanner];
    const ssize_t got = ::recv(fd, bytes, kMaxBanner - said.size(), MSG_DONTWAIT);
    if (got > 0) said.append(bytes, static_cast<std::size_t>(got));
    if (got > 0 || (got < 0 && errno == EAGAIN)) continue;
    answer.tcp = Tcp::closed;
    break;
  }
  said.erase(std::min(said.find_first_of("\r\n"), said.size()));
  if (said.starts_with("SSH-")) answer.tcp = Tcp::ssh;
  else if (!said.empty()) answer.tcp = Tcp::other;
}

}  // namespace

Name look_up(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  Name name;
  const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (error != 0) {
    name.error = ::gai_strerror(error);
    name.no_answer = error == EAI_AGAIN;
    return name;
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  for (const addrinfo* one = found; one && name.addresses.size() < kMostAddresses; one = one->ai_next) {
    if (one->ai_family != AF_INET && one->ai_family != AF_INET6) continue;
    const auto address = IpAddress::from_sockaddr(*one->ai_addr);
    if (std::find(name.addresses.begin(), name.addresses.end(), address) == name.addresses.end())
      name.addresses.push_back(address);
  }
  if (name.addresses.empty()) name.error = "it has no address";
  return name;
}

Answer knock_at(const Endpoint& place) {
  Answer answer;
  answer.ip = place.ip;
  const auto begun = Deadline::Clock::now();
  const auto deadline = Deadline::in(kPatience);
  const Fd fd(::socket(place.ip.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_storage address{};
  const socklen_t length = place.to_sockaddr(address);
  int error = 0;
  if (!fd) error = errno;
  else if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), length) != 0) error = errno;
  if (error == EINPROGRESS) {
    socklen_t size = sizeof error;
    if (!await::writable(fd.get(), deadline)) error = ETIMEDOUT;
    else ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  }
  answer.took = std::chrono::duration_cast<milliseconds>(Deadline::Clock::now() - begun);
  if (error != 0) answer.tcp = kind_of(error);
  else read_banner(fd.get(), deadline, answer);
  return answer;
}

}  // namespace asp_cp::reach
