// base/unix_socket: a socket in the file system (unix(7)), and who is at its other end.
#pragma once

#include <string>

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "base/fd.h"

namespace unix_socket {

// Fills `into`, and returns its size. Failure{71} when `path` is too long.
socklen_t name_of(const std::string& path, sockaddr_un& into);

// A connection, close-on-exec and nonblocking. Without one, errno says why; nothing waits.
Fd connect(const std::string& path, int type = SOCK_SEQPACKET);

// The effective uid of whoever connected, at that time; -1 when the kernel does not say.
uid_t peer_uid(int socket);

}  // namespace unix_socket
