// probe: which datagrams pass, by sending some of each size that nobody may cut (DF), and having them
// returned at the same size. Bytes of one:
//
//   0   8  "ASPCPPB1"
//   8  16  the session
//   24  1  '?' from the client, '!' from the server
//   25  2  how many bytes the datagram has, the higher byte first
//   27 32  HMAC-SHA-256 of the 27 before, keyed with the session's passphrase
//   59     zeros
//
// Nobody else can have the server answer, and an answer is never longer than the question.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "control.h"
#include "protocol.h"

namespace asp_cp::probe {

constexpr std::size_t kHeadSize = 8 + 16 + 1 + 2 + 32;

struct Secret {
  std::string session;  // 32 hex digits
  std::string passphrase;
};

// The largest that an Ethernet frame carries: 1472 by IPv4, 1452 by IPv6.
std::size_t largest_of(int family);
int family_of(int udp);

// A probe of `size` bytes, at least kHeadSize; recognise() returns that size, and 0 for anything else.
std::string make(const Secret& secret, char kind, std::size_t size);
std::size_t recognise(std::string_view datagram, const Secret& secret, char kind);

// The client's end: the largest probe that came back; 0 when none did.
std::size_t ask(int udp, const Secret& secret, const std::function<void()>& tick);
// The server's: returns probes until the client has said `probed`. Failure{69} when that takes too long.
Heard answer(int udp, const Secret& secret, Control& control);

// The size of a packet that the kernel holds possible on this way: an interface's, or what a router said. 0: unknown.
std::uint64_t path_mtu(int udp);

}  // namespace asp_cp::probe
