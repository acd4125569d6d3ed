#include "door.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string>

#include <fmt/core.h>

#include "base/accounts.h"
#include "base/await.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/paths.h"
#include "base/signals.h"
#include "base/unix_socket.h"

namespace door {
namespace {

constexpr int kMaxCallers = 8;
constexpr int kBacklog = 8;

Fd listening(Fd& on_record) {
  if (unix_socket::connect(paths::kLeaseSocket))
    throw tool::Failure(tool::temporary,
                        std::string(paths::kLeaseSocket) + ": asp-lease or systemd listens there already");
  on_record = fd::open(paths::kLeaseDoor, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  fd::lock(on_record.get(), paths::kLeaseDoor);
  if (::ftruncate(on_record.get(), 0) != 0) tool::fail_errno(tool::os, std::string("write to ") + paths::kLeaseDoor);
  io::write_all(on_record.get(), fmt::format("{}\n", ::getpid()));
  if (::unlink(paths::kLeaseSocket) != 0 && errno != ENOENT)
    tool::fail_errno(tool::os, std::string("unlink ") + paths::kLeaseSocket);
  Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) tool::fail_errno(tool::os, "socket");
  sockaddr_un name{};
  const socklen_t size = unix_socket::name_of(paths::kLeaseSocket, name);
  // The umask is 077: nobody else can connect before the socket has its group.
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&name), size) != 0 ||
      ::chown(paths::kLeaseSocket, 0, accounts::identity_of(paths::kNodeAccount).gid) != 0 ||
      ::chmod(paths::kLeaseSocket, 0660) != 0 || ::listen(socket.get(), kBacklog) != 0) {
    tool::fail_errno(tool::os, std::string("listen at ") + paths::kLeaseSocket);
  }
  return socket;
}

int collect(int callers) {
  while (callers > 0 && ::waitpid(-1, nullptr, WNOHANG) > 0) --callers;
  return callers;
}

}  // namespace

bool open() {
  Fd on_record;
  const Fd door = listening(on_record);
  const Signals signals({SIGTERM, SIGINT, SIGCHLD});
  logging::event("Listens at {}", paths::kLeaseSocket);
  for (int callers = 0;;) {
    await::On told(signals.fd()), caller(callers < kMaxCallers ? door.get() : -1);
    await::any(Deadline::never(), told, caller);
    while (const auto caught = signals.take()) {
      if (caught->number == SIGCHLD) continue;
      ::unlink(paths::kLeaseDoor);
      ::unlink(paths::kLeaseSocket);
      return false;
    }
    callers = collect(callers);
    const Fd connection(::accept4(door.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection) continue;
    const pid_t child = ::fork();
    if (child < 0) logging::error("fork: too many processes");
    if (child > 0) ++callers;
    if (child != 0) continue;
    ::dup2(connection.get(), STDIN_FILENO);
    ::dup2(connection.get(), STDOUT_FILENO);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    return true;
  }
}

}  // namespace door
