#include "pass_through.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/core.h>

#include "base/await.h"
#include "base/failure.h"

namespace forward {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kChunk = 64 * 1024;

[[noreturn]] void unreachable(const Endpoint& to, int error) {
  throw tool::Failure(tool::unavailable, fmt::format("connect to {}: {}", to.text(), std::strerror(error)));
}

Fd connected(const Endpoint& to, milliseconds patience, Signals& signals) {
  Fd socket(::socket(to.ip.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) tool::fail_errno(tool::os, "socket");
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  sockaddr_storage address;
  const socklen_t length = to.to_sockaddr(address);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), length) == 0) return socket;
  if (errno != EINPROGRESS) unreachable(to, errno);
  const auto deadline = Deadline::in(patience);
  for (;;) {
    await::On answer(socket.get(), POLLOUT), signal(signals.fd());
    if (!await::any(deadline, answer, signal)) unreachable(to, ETIMEDOUT);
    if (const auto caught = signals.take()) signals::end_by(caught->number);
    if (!answer) continue;
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) unreachable(to, error);
    return socket;
  }
}

}  // namespace

PassThrough::PassThrough(const Endpoint& to, milliseconds patience, HeldLease& held, Signals& signals)
    : to_(to), held_(held), signals_(signals), socket_(connected(to, patience, signals)), out_(STDOUT_FILENO) {}

int PassThrough::run() {
  while (!finished()) {
    const Ready ready = wait();
    if (const auto caught = signals_.take()) return 128 + caught->number;
    if (ready.in) take_in();
    if (ready.server.has(POLLOUT) || ready.server.gone()) send_on();
    if (ready.server.has(POLLIN) || ready.server.gone()) take_out();
    if (!out_.flush()) throw tool::Failure(tool::io, "write to standard output: nobody reads it");
    if (ready.out.gone()) return tool::io;
    if (server_done_ && out_.empty()) out_.close();
    held_.tend();
    if (held_.lost()) return tool::temporary;
  }
  return tool::yes;
}

// A descriptor from which nothing is wanted is left out: poll would report its hang-up and never
// sleep.
PassThrough::Ready PassThrough::wait() const {
  const bool read_in = stdin_open_ && pending_.empty();
  const bool read_server = !server_done_ && out_.empty();
  const bool write_server = !pending_.empty();
  const short server = static_cast<short>((read_server ? POLLIN : 0) | (write_server ? POLLOUT : 0));
  Ready ready{await::On(read_in ? STDIN_FILENO : -1),
              await::On(server != 0 || server_done_ ? socket_.get() : -1, server),
              await::On(out_.fd(), static_cast<short>(out_.empty() ? 0 : POLLOUT))};
  await::On signal(signals_.fd());
  auto lease = held_.awaited();
  await::any(Deadline::never(), ready.in, ready.server, ready.out, signal, lease.timer, lease.renewal);
  return ready;
}

bool PassThrough::finished() const { return server_done_ && out_.empty() && !stdin_open_ && pending_.empty(); }

void PassThrough::take_in() {
  pending_.resize(kChunk);
  const ssize_t got = ::read(STDIN_FILENO, pending_.data(), pending_.size());
  const int error = errno;
  pending_.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (got > 0) {
    send_on();
    return;
  }
  if (got < 0 && (error == EINTR || error == EAGAIN)) return;
  stdin_open_ = false;  // also when its other end is closed
  ::shutdown(socket_.get(), SHUT_WR);
}

void PassThrough::send_on() {
  while (!pending_.empty()) {
    const ssize_t put = ::send(socket_.get(), pending_.data(), pending_.size(), MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EAGAIN) return;
    if (put < 0 && !server_done_) lost(errno);
    if (put < 0) return stop_sending();
    pending_.erase(0, static_cast<std::size_t>(put));
  }
}

void PassThrough::take_out() {
  if (server_done_) return stop_sending();  // it closed both directions
  std::string chunk(kChunk, '\0');
  const ssize_t got = ::recv(socket_.get(), chunk.data(), chunk.size(), 0);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got < 0) lost(errno);
  chunk.resize(static_cast<std::size_t>(got));
  if (got == 0) server_done_ = true;
  else out_.hold(std::move(chunk));
}

void PassThrough::stop_sending() {
  stdin_open_ = false;
  pending_.clear();
}

void PassThrough::lost(int error) const {
  throw tool::Failure(tool::unavailable, fmt::format("connection to {} lost: {}", to_.text(), std::strerror(error)));
}

}  // namespace forward
