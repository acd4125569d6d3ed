#include "base/log_socket.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include <fmt/core.h>

#include "base/await.h"
#include "base/unix_socket.h"

namespace log_socket {

std::string line(int priority, std::time_t when, const std::string& ident, const std::string& text) {
  std::tm local{};
  ::localtime_r(&when, &local);
  char time[32];
  std::strftime(time, sizeof time, "%b %e %H:%M:%S", &local);
  return fmt::format("<{}>{} {}[{}]: {}", LOG_LOCAL2 | priority, time, ident, ::getpid(), text);
}

// Some daemons listen for streams, in which a NUL ends a line.
bool Socket::connect() {
  sockaddr_un name{};
  const socklen_t size = unix_socket::name_of(path_, name);
  for (const int type : {SOCK_DGRAM, SOCK_STREAM}) {
    socket_ = Fd(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    stream_ = type == SOCK_STREAM;
    if (socket_ && ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&name), size) == 0) return true;
    if (errno != EPROTOTYPE) break;
  }
  socket_.reset();
  return false;
}

// A daemon that was started anew has another socket.
Socket::Sent Socket::deliver(const std::string& line, const Deadline& deadline) {
  const Sent sent = socket_ ? put(line, deadline) : Sent::nobody;
  return sent == Sent::nobody && connect() ? put(line, deadline) : sent;
}

Socket::Sent Socket::put(const std::string& line, const Deadline& deadline) {
  const char* from = line.data();
  std::size_t left = line.size() + (stream_ ? 1 : 0);
  while (left > 0) {
    const ssize_t sent = ::send(socket_.get(), from, left, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      from += sent;
      left -= static_cast<std::size_t>(sent);
    } else if (errno == EAGAIN || errno == ENOBUFS) {
      const bool may_wait = errno == EAGAIN && !deadline.over();
      if (may_wait && await::writable(socket_.get(), deadline)) continue;
      if (from != line.data()) socket_.reset();  // what comes next would be taken for the rest of this line
      return Sent::no_room;
    } else if (errno != EINTR) {
      socket_.reset();
      return Sent::nobody;
    }
  }
  return Sent::yes;
}

void Socket::send(int priority, std::time_t when, const std::string& ident, const std::string& text) {
  const std::lock_guard<std::mutex> guard(mutex_);
  const auto deadline = lost_ > 0 ? Deadline::now() : Deadline::in(kPatience);
  if (lost_ > 0) {
    const std::string gap = fmt::format("ERR {} lines are lost: syslog did not take them", lost_);
    if (deliver(line(LOG_ERR, std::time(nullptr), ident, gap), deadline) == Sent::yes) lost_ = 0;
  }
  if (deliver(line(priority, when, ident, text), deadline) == Sent::no_room) ++lost_;
}

// What we sent counts as ours until the daemon has read it (unix(7), SIOCOUTQ).
Daemon Socket::try_out(const std::string& line, std::chrono::milliseconds patience) {
  constexpr std::chrono::milliseconds kPause{5};
  const auto deadline = Deadline::in(patience);
  const Sent sent = deliver(line, deadline);
  if (sent != Sent::yes) return sent == Sent::nobody ? Daemon::absent : Daemon::hangs;
  for (int unread = 1;;) {
    if (::ioctl(socket_.get(), SIOCOUTQ, &unread) != 0 || unread == 0) return Daemon::listens;
    if (deadline.over()) return Daemon::hangs;
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace log_socket
