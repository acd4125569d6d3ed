// transport: one encrypted, reliable stream of bytes over a UDP socket that we have already. The only
// user of libsrt.
//
// SRT in file mode: stream API, AES-256 keyed from the session's passphrase, its own congestion
// control and retransmission. In this mode SRT encrypts but does not authenticate single packets. The
// SHA-256 that crosses SSH authenticates the file as a whole. The two ends may use different versions
// of libsrt.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <sys/socket.h>

#include "base/fd.h"

namespace asp_cp {

struct LinkOptions {
  std::string passphrase;  // 10 to 79 bytes
  std::uint64_t rate = 0;  // bits a second that this end may send; 0: no limit
};

// How long the server waits for the connection: longer than any client, which explains the failure to a person.
constexpr std::chrono::seconds kAcceptPatience{20};

// Called several times a second during every wait; throws to stop it.
using Tick = std::function<void()>;

class Link {
 public:
  // Both take over `udp`, a bound UDP socket that is connected to the peer, and give up after `patience`:
  // Failure{69}.
  static Link accept(Fd udp, const LinkOptions& options, std::chrono::milliseconds patience, const Tick& tick);
  static Link connect(Fd udp, const LinkOptions& options, std::chrono::milliseconds patience, const Tick& tick);
  Link(Link&&) noexcept;
  ~Link();

  // Up to `count` bytes, as many as there are or fit; 0 when none could be moved within `wait`. Failure{69}
  // when the peer is silent for 10 s or closed.
  std::size_t receive(char* into, std::size_t count, std::chrono::milliseconds wait);
  std::size_t send(const char* from, std::size_t count, std::chrono::milliseconds wait);

  // Bytes that were sent and that the peer has not acknowledged.
  std::size_t unsent() const;

  // Failure{69} when the peer has been silent for 10 s, or has closed.
  void check() const;

 private:
  struct State;
  explicit Link(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Ends the process without the usual cleanup at exit: libsrt would clean up then, while its threads
// run. Flushes the output first.
[[noreturn]] void leave(int status);

}  // namespace asp_cp
