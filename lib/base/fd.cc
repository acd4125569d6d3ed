#include "base/fd.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/failure.h"

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void Fd::reset() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

namespace fd {
namespace {
constexpr std::size_t kMaxPassed = 8;
}

Pair pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) tool::fail_errno(tool::os, "pipe");
  return {Fd(ends[0]), Fd(ends[1])};
}

Pair socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) tool::fail_errno(tool::os, "socketpair");
  return {Fd(ends[0]), Fd(ends[1])};
}

Fd open(const std::string& path, int flags, unsigned mode) {
  Fd opened(::open(path.c_str(), flags | O_CLOEXEC, mode));
  if (!opened) tool::fail_errno(tool::os, "open " + path);
  return opened;
}

// Debian 12's <sys/pidfd.h> does not declare its functions extern "C".
Fd of_process(int pid) {
  Fd opened(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!opened) tool::fail_errno(tool::os, "pidfd_open");
  return opened;
}

void set_nonblocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) tool::fail_errno(tool::os, "fcntl O_NONBLOCK");
}

void send(int socket, std::string_view bytes, const std::vector<int>& descriptors) {
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxPassed * sizeof(int))] = {};
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
  std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size() * sizeof(int));
  if (::sendmsg(socket, &message, MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size()))
    tool::fail_errno(tool::os, "pass descriptors");
}

Received receive(int socket, std::size_t limit) {
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxPassed * sizeof(int))];
  Received received;
  received.bytes.resize(limit);
  iovec part{received.bytes.data(), limit};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t length;
  do {
    length = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (length < 0 && errno == EINTR);
  if (length < 0 && errno == ECONNRESET) length = 0;  // it left without reading all that we sent
  if (length < 0) tool::fail_errno(tool::os, "receive descriptors");
  received.bytes.resize(static_cast<std::size_t>(length));
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int passed;
      std::memcpy(&passed, CMSG_DATA(header) + i * sizeof(int), sizeof passed);
      received.descriptors.emplace_back(passed);
    }
  }
  return received;
}

}  // namespace fd
