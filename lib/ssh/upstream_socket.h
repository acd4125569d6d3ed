// ssh/upstream_socket: the TCP connection below an SSH connection.
#pragma once

#include <chrono>
#include <functional>
#include <optional>

#include "base/address.h"
#include "base/deadline.h"
#include "base/failure.h"
#include "base/fd.h"

namespace upstream {

struct Socket {
  Fd fd;  // non-blocking, close-on-exec
  Endpoint address;
};

// Failure{69}: the server has no address of the family that is asked for. It would do for another client.
struct NoAddress : tool::Failure {
  using Failure::Failure;
};

// Resolves `server` (its port must not be 0) and tries each of its addresses of `family` (AF_UNSPEC:
// any), in the order of the resolver, from `source` if given. Each address gets an equal share of the
// time left. The kernel notices within 45 s, idle or not, when a peer vanishes. Failure{69} with the
// reason of the last address tried; NoAddress; Failure{71} when `source` cannot be bound, {78} when it is of
// another family than all addresses.
//
// `on_silence`, if given, is called when an address has not answered TCP for kSuspiciousSilence. Only the
// kernels at the two ends take part in that, so a busy machine is not silent. One lost SYN, which is
// repeated after a second, is not silence yet.
constexpr std::chrono::milliseconds kSuspiciousSilence{1200};
Socket connect(const HostPort& server, const std::optional<IpAddress>& source, int family, const Deadline& deadline,
               const std::function<void()>& on_silence = {});

// Asks the kernel not to delay the next acknowledgement (TCP_QUICKACK, tcp(7)). sshd writes its
// answers in small pieces under Nagle's algorithm: each piece waits for the acknowledgement of the
// previous one, 40 ms if that is delayed. The kernel resets the setting, so it is set before each
// wait.
void acknowledge_at_once(int fd);

}  // namespace upstream
