#include "ssh/upstream_socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "base/await.h"
#include "base/failure.h"

namespace upstream {
namespace {

[[noreturn]] void fail_unavailable(const std::string& what, const std::string& why) {
  throw tool::Failure(tool::unavailable, fmt::format("{}: {}", what, why));
}

// Every address is of another family than the client's, or than the one that we are to connect from.
[[noreturn]] void fail_family(const HostPort& server, const std::optional<IpAddress>& source, int family) {
  const auto name = [](int which) { return which == AF_INET ? "IPv4" : "IPv6"; };
  if (source && (family == AF_UNSPEC || source->family() == family))
    throw tool::Failure(tool::config, fmt::format("connect {}: it has no {} address, as bind_source_address is",
                                                  server.text(), name(source->family())));
  throw NoAddress(tool::unavailable, fmt::format("connect {}: it has no {} address, by which the client came",
                                                 server.text(), name(family)));
}

// One look-up in the background, since getaddrinfo(3) has no time limit.
struct Lookup {
  std::string name;
  addrinfo hints{};
  gaicb request{};
  ~Lookup() {
    if (request.ar_result != nullptr) ::freeaddrinfo(request.ar_result);
  }
};

// Its error.
int look_up(std::unique_ptr<Lookup>& lookup, const std::string& name, int family, const Deadline& deadline) {
  lookup = std::make_unique<Lookup>();
  lookup->name = name;
  lookup->hints.ai_family = family;
  lookup->hints.ai_socktype = SOCK_STREAM;
  lookup->request.ar_name = lookup->name.c_str();
  lookup->request.ar_request = &lookup->hints;
  gaicb* list[] = {&lookup->request};
  int error = ::getaddrinfo_a(GAI_NOWAIT, list, 1, nullptr);
  while (error == 0 && (error = ::gai_error(list[0])) == EAI_INPROGRESS) {
    const auto milliseconds = deadline.left().count();
    if (milliseconds == 0) {
      static_cast<void>(lookup.release());  // the resolver's thread still writes to it
      fail_unavailable("resolve " + name, "timed out");
    }
    const timespec left{milliseconds / 1000, milliseconds % 1000 * 1'000'000};
    ::gai_suspend(list, 1, &left);
    error = 0;
  }
  return error;
}

std::vector<Endpoint> resolve(const HostPort& server, int family, const Deadline& deadline) {
  if (const auto ip = IpAddress::parse(server.host)) return {{*ip, server.port}};
  std::unique_ptr<Lookup> lookup;
  int error = look_up(lookup, server.host, family, deadline);
  // That is also said of a name in /etc/hosts that has addresses of the other family.
  if (error == EAI_NONAME && family != AF_UNSPEC && look_up(lookup, server.host, AF_UNSPEC, deadline) == 0) return {};
  if ((error == EAI_NODATA || error == EAI_ADDRFAMILY) && family != AF_UNSPEC) return {};
  if (error != 0) fail_unavailable("resolve " + server.host, ::gai_strerror(error));
  std::vector<Endpoint> found;
  for (const addrinfo* each = lookup->request.ar_result; each != nullptr; each = each->ai_next) {
    if (each->ai_family != AF_INET && each->ai_family != AF_INET6) continue;
    found.push_back({IpAddress::from_sockaddr(*each->ai_addr), server.port});
  }
  if (found.empty()) fail_unavailable("resolve " + server.host, "no address");
  return found;
}

void set(int fd, int level, int option, int value) {
  if (::setsockopt(fd, level, option, &value, sizeof value) != 0) tool::fail_errno(tool::os, "setsockopt");
}

// TCP notices a dead peer within 45 s: an idle one by probes at 15, 25, 35 and 45 s; one that owes us
// acknowledgements by the user timeout.
void set_options(int fd) {
  set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 15);
  set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 45'000);
}

void bind_source(int fd, const IpAddress& source) {
  sockaddr_storage address;
  const socklen_t length = Endpoint{source, 0}.to_sockaddr(address);
  set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), length) != 0) {
    const char* const hint =
        errno == EADDRNOTAVAIL ? " (bind_source_address), which is not an address of this host" : "";
    tool::fail_errno(tool::os, "connect from " + source.text() + hint);
  }
}

// Returns 0, or the errno of the attempt.
int try_connect(int fd, const Endpoint& to, const Deadline& deadline, const std::function<void()>& on_silence) {
  sockaddr_storage address;
  const socklen_t length = to.to_sockaddr(address);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), length) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  if (!await::writable(fd, std::min(Deadline::in(kSuspiciousSilence), deadline))) {
    if (on_silence) on_silence();
    if (!await::writable(fd, deadline)) return ETIMEDOUT;
  }
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

}  // namespace

// A failure is ignored: answers only take longer then.
void acknowledge_at_once(int fd) {
  const int yes = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof yes);
}

Socket connect(const HostPort& server, const std::optional<IpAddress>& source, int family, const Deadline& deadline,
               const std::function<void()>& on_silence) {
  const auto addresses = resolve(server, source ? source->family() : family, deadline);
  const auto fits = [&](const Endpoint& each) {
    return (!source || source->family() == each.ip.family()) && (family == AF_UNSPEC || family == each.ip.family());
  };
  if (std::none_of(addresses.begin(), addresses.end(), fits)) fail_family(server, source, family);
  int error = EAFNOSUPPORT;
  std::string tried = server.text();
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const Endpoint& to = addresses[i];
    if (!fits(to)) continue;
    Fd fd(::socket(to.ip.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) tool::fail_errno(tool::os, "socket");
    set_options(fd.get());
    if (source) bind_source(fd.get(), *source);
    const auto share = deadline.left() / static_cast<long>(addresses.size() - i);
    error = try_connect(fd.get(), to, Deadline::in(share), on_silence);
    if (error == 0) return {std::move(fd), to};
    tried = to.text() == server.text() ? to.text() : fmt::format("{} ({})", server.text(), to.text());
  }
  fail_unavailable("connect " + tried, std::strerror(error));
}

}  // namespace upstream
