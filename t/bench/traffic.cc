// traffic: as many UDP packets as this machine can make, for the benchmarks.
//
//   traffic one SOURCE:PORT TARGET:PORT BYTES SECONDS      one flow
//   traffic many SOURCE TARGET:PORT BYTES SECONDS FIRST    a new flow each packet: source
//                                                          ports from FIRST on, each once
//
// Prints how many packets were handed to the kernel and how long that took:
// "packets=N seconds=S". What of them arrives is counted at the other end.
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <fmt/core.h>

#include "base/address.h"
#include "base/fd.h"
#include "base/tool.h"

namespace {

using Clock = std::chrono::steady_clock;
constexpr char kUsage[] = "traffic one|many SOURCE[:PORT] TARGET:PORT BYTES SECONDS [FIRST]";
constexpr unsigned kBatch = 64;

Fd socket_from(const Endpoint& source, const Endpoint& target) {
  Fd made(::socket(source.ip.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!made) tool::fail_errno(tool::os, "socket");
  const int yes = 1;
  ::setsockopt(made.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_storage address{};
  if (::bind(made.get(), reinterpret_cast<sockaddr*>(&address), source.to_sockaddr(address)) != 0)
    tool::fail_errno(tool::os, "bind " + source.text());
  if (::connect(made.get(), reinterpret_cast<sockaddr*>(&address), target.to_sockaddr(address)) != 0)
    tool::fail_errno(tool::os, "connect " + target.text());
  return made;
}

struct Sent {
  unsigned long packets = 0;
  double seconds = 0;
};

template <typename Step>
Sent send_for(double seconds, Step step) {
  Sent sent;
  const auto start = Clock::now();
  while (sent.seconds < seconds) {
    const long count = step();
    if (count < 0) break;
    sent.packets += static_cast<unsigned long>(count);
    sent.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  }
  return sent;
}

// ICMP errors for earlier packets, and full queues, are no reason to stop.
Sent one_flow(const Endpoint& source, const Endpoint& target, std::vector<char>& payload, double seconds) {
  const Fd out = socket_from(source, target);
  iovec bytes{payload.data(), payload.size()};
  std::vector<mmsghdr> batch(kBatch);
  for (auto& message : batch) {
    message.msg_hdr.msg_iov = &bytes;
    message.msg_hdr.msg_iovlen = 1;
  }
  return send_for(seconds, [&] { return std::max(::sendmmsg(out.get(), batch.data(), kBatch, 0), 0); });
}

Sent many_flows(Endpoint source, const Endpoint& target, const std::vector<char>& payload, double seconds, int first) {
  int port = first;
  return send_for(seconds, [&]() -> long {
    if (port > 65535) return -1;
    source.port = static_cast<Port>(port++);
    const Fd out = socket_from(source, target);
    return ::send(out.get(), payload.data(), payload.size(), 0) > 0 ? 1 : 0;
  });
}

int run(int argc, char** argv) {
  if (argc < 6) throw tool::Failure(tool::usage, kUsage);
  const std::string what = argv[1];
  const auto target = Endpoint::require(argv[3], "target");
  std::vector<char> payload(static_cast<std::size_t>(std::atoi(argv[4])));
  const double seconds = std::atof(argv[5]);
  Sent sent;
  if (what == "one") sent = one_flow(Endpoint::require(argv[2], "source"), target, payload, seconds);
  else if (what == "many" && argc == 7)
    sent = many_flows({IpAddress::parse(argv[2]).value(), 0}, target, payload, seconds, std::atoi(argv[6]));
  else throw tool::Failure(tool::usage, kUsage);
  std::fputs(fmt::format("packets={} seconds={:.3f}\n", sent.packets, sent.seconds).c_str(), stdout);
  return tool::yes;
}

}  // namespace

int main(int argc, char** argv) { return tool::guard("traffic", nullptr, run, argc, argv, tool::Audience::operators); }
