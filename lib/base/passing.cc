#include "base/passing.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "base/failure.h"

namespace passing {
namespace {

constexpr std::size_t space_for(std::size_t descriptors) { return CMSG_SPACE(descriptors * sizeof(int)); }

msghdr message_of(iovec& part) {
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  return message;
}

// All descriptors that came, even unexpected ones: they are ours to close.
std::vector<Fd> descriptors_in(msghdr& message) {
  std::vector<Fd> passed;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int descriptor;
      std::memcpy(&descriptor, CMSG_DATA(header) + i * sizeof(int), sizeof descriptor);
      passed.emplace_back(descriptor);
    }
  }
  return passed;
}

}  // namespace

Sent send(int socket, std::string_view bytes, const std::vector<int>& descriptors) {
  if (descriptors.size() > kMost) throw tool::Failure(tool::internal, "pass descriptors: too many");
  alignas(cmsghdr) char control[space_for(kMost)] = {};
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message = message_of(part);
  if (!descriptors.empty()) {
    message.msg_control = control;
    message.msg_controllen = space_for(descriptors.size());
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
    std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size() * sizeof(int));
  }
  const ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent == static_cast<ssize_t>(bytes.size())) return Sent::all;
  if (sent >= 0) throw tool::Failure(tool::os, "pass descriptors: only a part went");
  // ETOOMANYREFS: the other end has to receive earlier descriptors first.
  const bool later = errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ETOOMANYREFS;
  return later ? Sent::not_now : Sent::gone;
}

void send_all(int socket, std::string_view bytes, const std::vector<int>& descriptors) {
  if (send(socket, bytes, descriptors) != Sent::all) tool::fail_errno(tool::os, "pass descriptors");
}

std::optional<Received> receive(int socket, std::size_t limit, std::size_t most) {
  alignas(cmsghdr) char control[space_for(kMost)];
  Received received;
  received.bytes.resize(limit);
  iovec part{received.bytes.data(), limit};
  msghdr message = message_of(part);
  message.msg_control = control;
  message.msg_controllen = space_for(most < kMost ? most : kMost);
  ssize_t length = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
  if (length < 0 && errno == ECONNRESET) length = 0;  // the peer closed without reading everything that we sent
  if (length < 0) tool::fail_errno(tool::os, "receive descriptors");
  received.bytes.resize(static_cast<std::size_t>(length));
  received.descriptors = descriptors_in(message);
  received.whole = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 && received.descriptors.size() <= most;
  if (!received.whole) received.descriptors.clear();
  return received;
}

}  // namespace passing
