#include "base/unix_socket.h"

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "base/failure.h"

namespace unix_socket {

socklen_t name_of(const std::string& path, sockaddr_un& into) {
  into = {};
  into.sun_family = AF_UNIX;
  if (path.size() >= sizeof into.sun_path) throw tool::Failure(tool::os, path + ": too long for a socket");
  std::memcpy(into.sun_path, path.data(), path.size());
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
}

Fd connect(const std::string& path, int type) {
  sockaddr_un name{};
  const socklen_t size = name_of(path, name);
  Fd socket(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) tool::fail_errno(tool::os, "socket");
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&name), size) == 0) return socket;
  const int error = errno;
  socket.reset();
  errno = error;
  return socket;
}

uid_t peer_uid(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.uid : static_cast<uid_t>(-1);
}

}  // namespace unix_socket
