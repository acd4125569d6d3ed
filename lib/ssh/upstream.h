// ssh/upstream: an SSH connection to one internal server, and one command on it.
// This and its upstream_* neighbours are the only users of libssh (client side).
//
//   const auto key = upstream::Key::load("/opt/aspera/proxy/etc/ssh_keys/id_rsa");   // 78
//   upstream::Session session(server, key, 10s);                                     // 69 76 77
//   upstream::Command command(session);                                              // a channel
//   command.start("ascp -S. -V1");                                                   // exec
//   ... poll session.fd() for session.events(), then process(), take(), put() ...
//
// No ssh_config, agent, password or prompt is ever consulted. Nothing blocks
// except construction and start(), which have deadlines of their own.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/address.h"
#include "base/fd.h"
#include "ssh/upstream_command.h"
#include "ssh/upstream_host_key.h"
#include "ssh/upstream_key.h"
#include "ssh/upstream_socket.h"

struct ssh_channel_struct;
struct ssh_event_struct;
struct ssh_session_struct;

namespace upstream {

struct Server {
  HostPort host;  // port not 0
  std::string user;
  std::string known_hosts;          // path
  std::optional<IpAddress> source;  // the address to connect from
  int family = AF_UNSPEC;           // AF_INET, AF_INET6: connect only to such an address
  bool old_algorithms = false;      // also SHA-1 and CBC, when the server knows nothing better
};

// How long each step took.
struct Steps {
  std::chrono::milliseconds connect{0};    // name and TCP
  std::chrono::milliseconds handshake{0};  // with the host key
  std::chrono::milliseconds login{0};
};

// A connection to a server that was verified, and that has authenticated us.
class Session {
 public:
  // Connects by TCP, verifies the host key and authenticates, all within `timeout`. Failure{69}: not reached, silent,
  // lost before its host key was verified. Failure{76}: host key, or no common algorithm. Failure{77}: the server
  // refuses account or key, in whatever words. Failure{78}: the key cannot sign.
  // `on_reached`, if given, is called as soon as TCP is connected; `on_verified` when the host key is the enrolled
  // one; `on_silence` when TCP takes suspiciously long (ssh/upstream_socket.h).
  using Reached = std::function<void(const Endpoint& address)>;
  using Event = std::function<void()>;
  Session(const Server& server, const Key& key, std::chrono::seconds timeout, const Reached& on_reached = {},
          const Event& on_verified = {}, const Event& on_silence = {});
  Session(const Session&) = delete;
  // Says good-bye (RFC 4253 section 11.1) and closes.
  ~Session();

  const Endpoint& address() const { return socket_.address; }
  const HostKey& host_key() const { return host_key_; }
  const Steps& steps() const { return steps_; }
  int fd() const { return socket_.fd.get(); }
  // The events to poll fd() for: POLLIN, and POLLOUT while bytes wait to be sent.
  short events() const;
  bool sending() const;
  // Handles arrived bytes and sends waiting ones. False when the connection is lost; lost_reason() says why.
  bool process();
  std::string lost_reason() const;
  // Asks the server for a sign of life (keepalive@openssh.com, with reply).
  void send_keepalive();
  // Sends waiting bytes, for at most `limit`.
  void flush(std::chrono::milliseconds limit);

  bool connected() const;

  // Waits until there is something to do for the connection. Failure{69} at `deadline`; `doing` is
  // "authenticate at 10.0.0.10:22".
  void wait(const Deadline& deadline, const std::string& doing);
  ssh_session_struct* get() const { return session_.get(); }

 private:
  struct Deleter {
    void operator()(ssh_session_struct* session) const;
    void operator()(ssh_event_struct* event) const;
  };
  void set_options(const Server& server);
  void handshake(const Deadline& deadline);
  void authenticate(const Key& key, const std::string& user, const Deadline& deadline);

  Socket socket_;  // outlives session_, which borrows it
  std::unique_ptr<ssh_session_struct, Deleter> session_;
  std::unique_ptr<ssh_event_struct, Deleter> event_;
  HostKey host_key_;
  Steps steps_;
};

enum class Output { out, err };

struct WindowSize {
  int columns = 80;
  int rows = 24;
};

// A session channel (RFC 4254 section 6) and the command that runs on it.
//
// Memory is bounded in both directions. Towards the server, no more is queued than its window takes.
// The server may send ahead as much as the local window (1.25 MiB) permits; the window opens again
// when take() has emptied it.
class Command {
 public:
  // Opens the channel; nothing runs yet. Failure{77}: the server refuses. Failure{69}: it is silent for 10 s.
  explicit Command(Session& session);
  Command(const Command&) = delete;
  // If the command still runs, sends it SIGHUP (RFC 4254 section 6.9), as a terminal that hangs up does, and
  // closes the channel.
  ~Command();

  // Must come before start(). Failure as start().
  void request_terminal(const std::string& term, WindowSize size);
  void resize(WindowSize size);
  // Failure{77} when the server refuses; Failure{69} when it is silent for 10 s, or the connection is lost.
  void start(const std::string& command_line);

  // All bytes of `from` that have arrived, at most about 3 MiB; empty if there are none.
  std::string take(Output from);
  // Moves the bytes that libssh still holds for `from` to where take() finds them even if the connection is
  // lost meanwhile.
  void fetch(Output from);
  // The number of bytes that take() would return.
  std::size_t held(Output from) const;

  // The number of bytes that put() accepts now; 0 while the window is full, keys are exchanged anew, or
  // earlier bytes wait for the socket.
  std::size_t room() const;
  // Queues up to room() bytes of `bytes`; returns how many were queued.
  std::size_t put(std::string_view bytes);
  // Idempotent. Must come after the last put().
  void send_eof();

  // The server sends no more output (bytes that have arrived can still be taken).
  bool at_eof() const;
  // The server closed the channel: it sends nothing more and accepts nothing.
  bool closed() const;
  // Absent until the server has told how the command ended, and forever if it never does.
  const std::optional<End>& end() const;

 private:
  struct State;  // filled in by libssh's callbacks
  struct Deleter {
    void operator()(ssh_channel_struct* channel) const;
    void operator()(State* state) const;
  };
  template <typename Step>
  void request(Step step, const std::string& doing, bool logged_in);

  Session& session_;
  bool started_ = false;
  std::unique_ptr<State, Deleter> state_;  // outlives channel_
  std::unique_ptr<ssh_channel_struct, Deleter> channel_;
};

}  // namespace upstream
