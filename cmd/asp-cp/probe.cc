#include "probe.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "base/await.h"
#include "base/deadline.h"
#include "base/hex.h"
#include "digest.h"

namespace asp_cp::probe {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kMagic = "ASPCPPB1";
constexpr std::size_t kSmallest = 64;
// Sizes of frames that are met with: 1492 (PPPoE), 1480, 1460, 1428, 1420, 1400 (tunnels), 1280, 1260 and 576.
constexpr std::array<std::size_t, 11> kSizes{kSmallest, 548, 1024, 1232, 1252, 1372, 1392, 1432, 1452, 1464, 1472};
constexpr std::size_t kStep = 4;
constexpr milliseconds kAgain{200};
constexpr int kRounds = 5;
constexpr milliseconds kPatience{20'000};
constexpr int kMostAnswers = 2000;

// Nobody on the way may cut what we send, and the kernel sends it whatever it has heard of the way.
class Whole {
 public:
  explicit Whole(int udp) : udp_(udp) { set(IP_PMTUDISC_PROBE, IPV6_PMTUDISC_PROBE); }
  Whole(const Whole&) = delete;
  ~Whole() { set(IP_PMTUDISC_DONT, IPV6_PMTUDISC_DONT); }

 private:
  void set(int v4, int v6) const {
    const bool is_v4 = family_of(udp_) == AF_INET;
    const int value = is_v4 ? v4 : v6;
    ::setsockopt(udp_, is_v4 ? IPPROTO_IP : IPPROTO_IPV6, is_v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, &value,
                 sizeof value);
  }
  int udp_;
};

// The first attempt may get the error of an earlier datagram instead (a router's answer); a datagram too large for
// the interface counts as one that is lost.
void send(int udp, const std::string& datagram) {
  if (::send(udp, datagram.data(), datagram.size(), MSG_DONTWAIT) < 0)
    ::send(udp, datagram.data(), datagram.size(), MSG_DONTWAIT);
}

// The size of the probe that is there; 0: none, or something else.
std::size_t take(int udp, const Secret& secret, char kind) {
  char bytes[2048];
  const ssize_t got = ::recv(udp, bytes, sizeof bytes, MSG_DONTWAIT);
  return got <= 0 ? 0 : recognise({bytes, static_cast<std::size_t>(got)}, secret, kind);
}

// Sends each of `sizes` until all have come back, a few times; removes those that have.
std::size_t round_trips(int udp, const Secret& secret, std::vector<std::size_t> sizes,
                        const std::function<void()>& tick) {
  std::size_t largest = 0;
  for (int round = 0; round < kRounds && !sizes.empty(); ++round) {
    tick();
    for (const std::size_t size : sizes) send(udp, make(secret, '?', size));
    for (const auto until = Deadline::in(kAgain); !sizes.empty() && !until.over();) {
      if (!await::readable(udp, until)) break;
      const std::size_t size = take(udp, secret, '!');
      std::erase(sizes, size);
      largest = std::max(largest, size);
    }
  }
  return largest;
}

}  // namespace

int family_of(int udp) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  ::getsockname(udp, reinterpret_cast<sockaddr*>(&address), &length);
  return address.ss_family;
}

std::size_t largest_of(int family) { return family == AF_INET ? 1472 : 1452; }

std::string make(const Secret& secret, char kind, std::size_t size) {
  std::string text(kMagic);
  text += hex::decode(secret.session).value();
  text += kind;
  text += static_cast<char>(size >> 8);
  text += static_cast<char>(size & 0xff);
  const auto proof = keyed_digest(secret.passphrase, text);
  text.append(proof.begin(), proof.end());
  text.resize(std::max(size, text.size()));
  return text;
}

std::size_t recognise(std::string_view datagram, const Secret& secret, char kind) {
  if (datagram.size() < kHeadSize || datagram.size() > 65535) return 0;
  const std::string expected = make(secret, kind, datagram.size());
  return equal_secrets(datagram.substr(0, kHeadSize), std::string_view(expected).substr(0, kHeadSize)) ? datagram.size()
                                                                                                       : 0;
}

std::size_t ask(int udp, const Secret& secret, const std::function<void()>& tick) {
  const Whole whole(udp);
  const std::size_t most = largest_of(family_of(udp));
  std::vector<std::size_t> sizes;
  std::copy_if(kSizes.begin(), kSizes.end(), std::back_inserter(sizes), [&](auto size) { return size <= most; });
  const std::size_t coarse = round_trips(udp, secret, sizes, tick);
  const auto next = std::upper_bound(sizes.begin(), sizes.end(), coarse);
  if (coarse == 0 || next == sizes.end()) return coarse;
  std::vector<std::size_t> between;
  for (std::size_t size = coarse + kStep; size < *next; size += kStep) between.push_back(size);
  return std::max(coarse, round_trips(udp, secret, between, tick));
}

Heard answer(int udp, const Secret& secret, Control& control) {
  const Whole whole(udp);
  Heard heard;
  const auto deadline = Deadline::in(kPatience);
  for (int answers = 0; !deadline.over();) {
    if (const auto message = control.receive(milliseconds(0))) {
      if (word_of(*message) != "probed") throw tool::Failure(tool::bad_input, "protocol: 'probed' was due");
      check_plain(*message);
      heard.mtu = path_mtu(udp);
      return heard;
    }
    if (!await::readable(udp, Deadline::in(milliseconds(20)))) continue;
    const std::size_t size = take(udp, secret, '?');
    if (size == 0 || ++answers > kMostAnswers) continue;
    heard.largest = std::max<std::uint64_t>(heard.largest, size);
    send(udp, make(secret, '!', size));
  }
  throw tool::Failure(tool::unavailable, "the client does not end its probes");
}

std::uint64_t path_mtu(int udp) {
  const bool v4 = family_of(udp) == AF_INET;
  int mtu = 0;
  socklen_t length = sizeof mtu;
  const int level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
  if (::getsockopt(udp, level, v4 ? IP_MTU : IPV6_MTU, &mtu, &length) != 0 || mtu < 0) return 0;
  return std::min<std::uint64_t>(static_cast<std::uint64_t>(mtu), 65535);
}

}  // namespace asp_cp::probe
