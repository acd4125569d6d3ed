#include "transport.h"

#include <fcntl.h>
#include <srt/srt.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <utility>

#include <fmt/core.h>

#include "base/deadline.h"
#include "base/failure.h"
#include "base/logging.h"

namespace asp_cp {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTickEvery{100};
// 1480 leaves room for an IPv6 header (20 bytes more than SRT allows for) in an Ethernet frame.
constexpr int kPacketBytes = 1480;
// Enough for 1 Gbit/s at a round trip of 250 ms; memory is used only as needed.
constexpr int kWindowPackets = 25600;
constexpr std::uint64_t kBufferBytes = 32 * 1024 * 1024;
// The kernel caps it at net.core.rmem_max. Packets that the kernel drops here make SRT slow down.
constexpr int kUdpBufferBytes = 8 * 1024 * 1024;
constexpr int kPeerSilenceMs = 10'000;

[[noreturn]] void fail_srt(tool::Exit code, const char* what) {
  throw tool::Failure(code, fmt::format("{}: {}", what, srt_getlasterror_str()));
}

void log_srt(void*, int, const char*, int, const char*, const char* message) {
  logging::debug1("srt: {}", logging::escape(message));
}

// The library is started once and never cleaned up: srt_cleanup frees memory that its own threads may
// still use when data is unsent (its pull request 2173), and in libsrt 1.5.4 the first of several
// calls ends the sockets of all. leave() ends it instead.
void start_library() {
  static std::once_flag started;
  std::call_once(started, [] {
    if (srt_startup() < 0) fail_srt(tool::os, "start SRT");
    srt_setloghandler(nullptr, log_srt);
    srt_setloglevel(logging::debugging(1) ? 5 : 2);
  });
}

class Socket {
 public:
  explicit Socket(SRTSOCKET id = SRT_INVALID_SOCK) : id_(id) {}
  Socket(Socket&& other) noexcept : id_(std::exchange(other.id_, SRT_INVALID_SOCK)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  ~Socket() {
    if (id_ != SRT_INVALID_SOCK) srt_close(id_);
  }
  SRTSOCKET id() const { return id_; }

 private:
  SRTSOCKET id_;
};

// Waits for one kind of event on one socket.
class Watch {
 public:
  Watch(SRTSOCKET socket, int events) : poll_(srt_epoll_create()) {
    events |= SRT_EPOLL_ERR;
    if (poll_ < 0 || srt_epoll_add_usock(poll_, socket, &events) < 0) fail_srt(tool::os, "watch an SRT socket");
  }
  Watch(Watch&& other) noexcept : poll_(std::exchange(other.poll_, -1)) {}
  ~Watch() {
    if (poll_ >= 0) srt_epoll_release(poll_);
  }
  bool wait(milliseconds patience) const {
    SRT_EPOLL_EVENT event{};
    return srt_epoll_uwait(poll_, &event, 1, patience.count()) > 0;
  }

 private:
  int poll_;
};

template <typename Value>
void set(const Socket& socket, SRT_SOCKOPT option, const Value& value) {
  if (srt_setsockflag(socket.id(), option, &value, sizeof value) < 0) fail_srt(tool::internal, "set an SRT option");
}

void set(const Socket& socket, SRT_SOCKOPT option, const std::string& value) {
  if (srt_setsockflag(socket.id(), option, value.data(), static_cast<int>(value.size())) < 0) {
    fail_srt(tool::internal, "set an SRT option");
  }
}

// Holds one second of a limited rate: data that waits here cannot be called back.
std::uint64_t send_buffer(std::uint64_t rate) {
  return rate == 0 ? kBufferBytes : std::clamp<std::uint64_t>(rate / 8, 256 * 1024, kBufferBytes);
}

Socket make_socket(const LinkOptions& options) {
  Socket socket(srt_create_socket());
  if (socket.id() == SRT_INVALID_SOCK) fail_srt(tool::os, "create an SRT socket");
  set(socket, SRTO_TRANSTYPE, SRTT_FILE);  // must be first: it sets many others
  set(socket, SRTO_SNDSYN, false);
  set(socket, SRTO_RCVSYN, false);
  set(socket, SRTO_LINGER, linger{0, 0});  // the peer reports over SSH what it has
  set(socket, SRTO_MSS, kPacketBytes);
  set(socket, SRTO_FC, kWindowPackets);
  set(socket, SRTO_SNDBUF, static_cast<int>(send_buffer(options.rate)));
  set(socket, SRTO_RCVBUF, static_cast<int>(kBufferBytes));
  set(socket, SRTO_UDP_SNDBUF, kUdpBufferBytes);
  set(socket, SRTO_UDP_RCVBUF, kUdpBufferBytes);
  set(socket, SRTO_PEERIDLETIMEO, kPeerSilenceMs);
  set(socket, SRTO_MINVERSION, 0x010400);
  set(socket, SRTO_PBKEYLEN, 32);
  set(socket, SRTO_ENFORCEDENCRYPTION, true);
  set(socket, SRTO_PASSPHRASE, options.passphrase);
  set(socket, SRTO_MAXBW, options.rate == 0 ? std::int64_t{-1} : static_cast<std::int64_t>(options.rate / 8));
  return socket;
}

// SRT's documentation asks for an unconnected socket: on systems other than Linux, sending to an
// address through a connected one is an error. SRT gets, and closes, a descriptor of its own for the
// same socket. It needs a blocking one (with a time limit that it sets): on a non-blocking one its
// receiving thread would spin.
void hand_over(const Socket& socket, const Fd& udp) {
  const int flags = ::fcntl(udp.get(), F_GETFL);
  if (flags < 0 || ::fcntl(udp.get(), F_SETFL, flags & ~O_NONBLOCK) != 0) tool::fail_errno(tool::os, "fcntl");
  const int copy = ::fcntl(udp.get(), F_DUPFD_CLOEXEC, 3);
  if (copy < 0) tool::fail_errno(tool::os, "dup a UDP socket");
  if (srt_bind_acquire(socket.id(), copy) < 0) {
    ::close(copy);
    fail_srt(tool::os, "hand a UDP socket to SRT");
  }
}

void wait_for(const Watch& watch, milliseconds patience, const Tick& tick) {
  const auto deadline = Deadline::in(patience);
  while (!watch.wait(kTickEvery)) {
    tick();
    if (deadline.over()) throw tool::Failure(tool::unavailable, "no answer over UDP");
  }
}

}  // namespace

void leave(int status) {
  std::fflush(nullptr);
  ::_exit(status);
}

struct Link::State {
  explicit State(Socket connected)
      : socket(std::move(connected)), readable(socket.id(), SRT_EPOLL_IN), writable(socket.id(), SRT_EPOLL_OUT) {}
  Socket socket;
  Watch readable;
  Watch writable;
};

Link::Link(std::unique_ptr<State> state) : state_(std::move(state)) {}
Link::Link(Link&&) noexcept = default;
Link::~Link() = default;

Link Link::accept(Fd udp, const LinkOptions& options, milliseconds patience, const Tick& tick) {
  start_library();
  const Socket listener = make_socket(options);
  hand_over(listener, udp);
  udp.reset();
  if (srt_listen(listener.id(), 1) < 0) fail_srt(tool::os, "listen for SRT");
  wait_for(Watch(listener.id(), SRT_EPOLL_IN), patience, tick);
  Socket accepted(srt_accept(listener.id(), nullptr, nullptr));
  if (accepted.id() == SRT_INVALID_SOCK) fail_srt(tool::unavailable, "accept over UDP");
  return Link(std::make_unique<State>(std::move(accepted)));
}

Link Link::connect(Fd udp, const LinkOptions& options, milliseconds patience, const Tick& tick) {
  start_library();
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  if (::getpeername(udp.get(), reinterpret_cast<sockaddr*>(&peer), &length) != 0)
    tool::fail_errno(tool::os, "getpeername");
  Socket socket = make_socket(options);
  set(socket, SRTO_CONNTIMEO, static_cast<int>(patience.count()));
  hand_over(socket, udp);
  udp.reset();
  if (srt_connect(socket.id(), reinterpret_cast<sockaddr*>(&peer), static_cast<int>(length)) < 0) {
    fail_srt(tool::unavailable, "connect over UDP");
  }
  wait_for(Watch(socket.id(), SRT_EPOLL_OUT), patience, tick);
  if (srt_getsockstate(socket.id()) != SRTS_CONNECTED) {
    throw tool::Failure(tool::unavailable,
                        fmt::format("connect over UDP: {}", srt_rejectreason_str(srt_getrejectreason(socket.id()))));
  }
  return Link(std::make_unique<State>(std::move(socket)));
}

void Link::check() const {
  if (srt_getsockstate(state_->socket.id()) != SRTS_CONNECTED) {
    throw tool::Failure(tool::unavailable, "the UDP connection was lost");
  }
}

std::size_t Link::unsent() const {
  std::size_t blocks = 0;
  std::size_t bytes = 0;
  if (srt_getsndbuffer(state_->socket.id(), &blocks, &bytes) < 0) return 0;  // lost: check() reports it
  return bytes;
}

std::size_t Link::receive(char* into, std::size_t count, milliseconds wait) {
  for (bool waited = false;; waited = true) {
    const int got = srt_recv(state_->socket.id(), into, static_cast<int>(std::min<std::size_t>(count, 1 << 30)));
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0 || srt_getlasterror(nullptr) != SRT_EASYNCRCV)
      throw tool::Failure(tool::unavailable, "the UDP connection was lost");
    if (waited || !state_->readable.wait(wait)) return 0;
  }
}

std::size_t Link::send(const char* from, std::size_t count, milliseconds wait) {
  for (bool waited = false;; waited = true) {
    const int put = srt_send(state_->socket.id(), from, static_cast<int>(std::min<std::size_t>(count, 1 << 30)));
    if (put > 0) return static_cast<std::size_t>(put);
    if (srt_getlasterror(nullptr) != SRT_EASYNCSND)
      throw tool::Failure(tool::unavailable, "the UDP connection was lost");
    if (waited || !state_->writable.wait(wait)) return 0;
  }
}

}  // namespace asp_cp
