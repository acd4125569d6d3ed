// base/passing: descriptors that are sent over a Unix socket with the bytes that they belong to;
// unix(7), SCM_RIGHTS. Nothing here waits.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace passing {

constexpr std::size_t kMost = 8;  // descriptors in one message

enum class Sent { all, not_now, gone };

// Sends `bytes`, which is not empty, and with the first of them `descriptors`, which may be empty.
// Failure{71} when only a part was sent.
Sent send(int socket, std::string_view bytes, const std::vector<int>& descriptors);

// Does the same where there must be room. Failure{71} when there is not.
void send_all(int socket, std::string_view bytes, const std::vector<int>& descriptors);

struct Received {
  std::string bytes;            // empty: the other end is closed
  std::vector<Fd> descriptors;  // close-on-exec
  // False: the packet had more bytes, or more descriptors came than requested. All of the descriptors are
  // closed then.
  bool whole = true;
};

// Makes one recvmsg(2) of at most `limit` bytes and `most` descriptors. Absent: nothing is there.
// Failure{71}.
std::optional<Received> receive(int socket, std::size_t limit, std::size_t most);

}  // namespace passing
