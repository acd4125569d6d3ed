#include "ssh/upstream.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

#include <fmt/core.h>
#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>  // only for the declaration of ssh_send_keepalive

#include "base/await.h"
#include "base/failure.h"

namespace upstream {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// libssh's own list, with AES-GCM first: 300 MB from an OpenSSH server took a quarter less time than
// with ChaCha20, the default of both.
constexpr char kCiphers[] =
    "aes256-gcm@openssh.com,aes128-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr";
// With what servers of about 2010 know, behind all else. libssh leaves out what it does not know.
constexpr char kOldCiphers[] = ",aes256-cbc,aes192-cbc,aes128-cbc";
constexpr char kKeyExchangesAndOld[] =
    "mlkem768x25519-sha256,sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com,curve25519-sha256,"
    "curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,"
    "diffie-hellman-group18-sha512,diffie-hellman-group16-sha512,diffie-hellman-group-exchange-sha256,"
    "diffie-hellman-group14-sha256,diffie-hellman-group14-sha1";
constexpr char kMacsAndOld[] =
    "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,hmac-sha2-512,hmac-sha1";
constexpr char kSignaturesAndOld[] =
    "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256,ssh-rsa";

constexpr std::chrono::seconds kRequestTimeout{10};  // channel open, pty, exec: each
constexpr milliseconds kDisconnectTime{500};         // to get the last messages out
constexpr std::size_t kMaxTakenAhead = 256 * 1024;   // beyond this, bytes wait in libssh, and the window closes
constexpr std::size_t kMaxPut = 128 * 1024;
constexpr std::string_view kSocketError = "Socket error: ";

// The text of libssh's error comes in part from the server.
std::string libssh_error(ssh_session session) { return ::ssh_get_error(session); }

std::string errno_text(int number) { return std::strerror(number); }

[[noreturn]] void fail(tool::Exit code, const std::string& doing, const std::string& why) {
  throw tool::Failure(code, fmt::format("{}: {}", doing, why));
}

template <typename Value>
void set_option(ssh_session session, ssh_options_e option, const Value* value) {
  if (::ssh_options_set(session, option, value) != SSH_OK) {
    fail(tool::internal, fmt::format("set libssh option {}", static_cast<int>(option)), libssh_error(session));
  }
}

// Repeats `step` until it no longer says `again`. SSH_ERROR (which is
// SSH_AUTH_ERROR, too) when the connection is lost: libssh 0.10.6 says `again`
// for ever to a server that disconnects during authentication.
template <typename Step>
int repeat(Session& session, Step step, int again, const Deadline& deadline, const std::string& doing) {
  for (;;) {
    const int result = step();
    if (result != again) return result;
    if (!session.connected()) return SSH_ERROR;
    session.wait(deadline, doing);
  }
}

// The server's first words, as far as they are here; they are left there for libssh. A server that
// turns us away says why in the place of its version: "Not allowed at this time".
std::string first_line(int socket) {
  char text[200];
  const ssize_t length = ::recv(socket, text, sizeof text, MSG_PEEK | MSG_DONTWAIT);
  const std::string_view said(text, length > 0 ? static_cast<std::size_t>(length) : 0);
  const auto line = said.substr(0, std::min(said.find_first_of("\r\n"), said.find('\0')));
  return line.empty() && !said.empty() ? "bytes that are not SSH" : std::string(line);
}

// That there is no common algorithm is the last that libssh should say of it, and is written over by what happens
// when it then closes the socket: "Socket error: Permission denied". What it traces has it.
class KexError {
 public:
  KexError() {
    ::ssh_set_log_callback(&KexError::hear);
    ::ssh_set_log_userdata(this);
    ::ssh_set_log_level(SSH_LOG_TRACE);
  }
  KexError(const KexError&) = delete;
  ~KexError() {
    ::ssh_set_log_level(SSH_LOG_NONE);
    ::ssh_set_log_userdata(nullptr);
  }
  const std::string& text() const { return text_; }

 private:
  static void hear(int, const char*, const char* line, void* self) noexcept {
    auto* const error = static_cast<KexError*>(self);
    const char* const begin = error ? std::strstr(line, "kex error") : nullptr;
    if (begin && error->text_.empty()) error->text_.assign(begin);
  }
  std::string text_;
};

}  // namespace

void Session::Deleter::operator()(ssh_session_struct* session) const {
  ::ssh_disconnect(session);  // libssh then releases the socket, which is ours to close
  ::ssh_free(session);
}

void Session::Deleter::operator()(ssh_event_struct* event) const { ::ssh_event_free(event); }

Session::Session(const Server& server, const Key& key, std::chrono::seconds timeout, const Reached& on_reached,
                 const Event& on_verified, const Event& on_silence) {
  const auto start = steady_clock::now();
  const auto deadline = Deadline::in(timeout);
  const auto since = [](steady_clock::time_point then) {
    return std::chrono::round<milliseconds>(steady_clock::now() - then);
  };
  socket_ = connect(server.host, server.source, server.family, deadline, on_silence);
  steps_.connect = since(start);
  const auto connected = steady_clock::now();
  if (on_reached) on_reached(socket_.address);
  session_.reset(::ssh_new());
  if (!session_) throw std::bad_alloc();
  set_options(server);
  handshake(deadline);
  host_key_ = verify_host_key(session_.get(), server.host, server.known_hosts);
  steps_.handshake = since(connected);
  const auto verified = steady_clock::now();
  if (on_verified) on_verified();
  authenticate(key, server.user, deadline);
  steps_.login = since(verified);
  event_.reset(::ssh_event_new());
  if (!event_ || ::ssh_event_add_session(event_.get(), session_.get()) != SSH_OK) throw std::bad_alloc();
}

Session::~Session() {
  if (!event_) return;
  flush(kDisconnectTime);
  ::ssh_event_remove_session(event_.get(), session_.get());
}

void Session::set_options(const Server& server) {
  const bool no = false;
  const int fd = socket_.fd.get();
  set_option(session_.get(), SSH_OPTIONS_PROCESS_CONFIG, &no);
  // Only for the command lines of its own configuration, which it never reads; so it refuses what a shell could
  // mistake, and names with an underscore. The connection is made already, and the login has the real name.
  set_option(session_.get(), SSH_OPTIONS_HOST, "server");
  set_option(session_.get(), SSH_OPTIONS_USER, "user");
  set_option(session_.get(), SSH_OPTIONS_SSH_DIR, "/nonexistent");
  set_option(session_.get(), SSH_OPTIONS_FD, &fd);
  const std::string ciphers = std::string(kCiphers) + (server.old_algorithms ? kOldCiphers : "");
  set_option(session_.get(), SSH_OPTIONS_CIPHERS_C_S, ciphers.c_str());
  set_option(session_.get(), SSH_OPTIONS_CIPHERS_S_C, ciphers.c_str());
  if (server.old_algorithms) {
    set_option(session_.get(), SSH_OPTIONS_KEY_EXCHANGE, kKeyExchangesAndOld);
    set_option(session_.get(), SSH_OPTIONS_HMAC_C_S, kMacsAndOld);
    set_option(session_.get(), SSH_OPTIONS_HMAC_S_C, kMacsAndOld);
    set_option(session_.get(), SSH_OPTIONS_PUBLICKEY_ACCEPTED_TYPES, kSignaturesAndOld);
  }
  prefer_enrolled(session_.get(), server.host, server.known_hosts, server.old_algorithms);
  ::ssh_set_blocking(session_.get(), 0);
}

void Session::wait(const Deadline& deadline, const std::string& doing) {
  await::On socket(fd(), events());
  acknowledge_at_once(fd());
  if (deadline.over() || !await::any(deadline, socket)) fail(tool::unavailable, doing, "timed out");
}

void Session::handshake(const Deadline& deadline) {
  const std::string doing = "handshake with " + address().text();
  const KexError kex_error;
  std::string greeting;
  const auto step = [&] {
    if (greeting.empty()) greeting = first_line(fd());
    return ::ssh_connect(session_.get());
  };
  if (repeat(*this, step, SSH_AGAIN, deadline, doing) == SSH_OK) {
    // libssh 0.10.6 makes its socket a blocking one, and would then sit in send(2) while the server waits for
    // us to read. It writes only after POLLOUT, so a non-blocking socket works.
    fd::set_nonblocking(fd());
    return;
  }
  if (!kex_error.text().empty()) fail(tool::untrusted, doing, kex_error.text());
  // libssh hangs up in any case. Only its banner tells a server that does not understand us from one that is
  // gone.
  const bool greeted = ::ssh_get_serverbanner(session_.get()) != nullptr;
  const std::string why = greeted || greeting.empty() ? lost_reason() : "server says: " + greeting;
  fail(tool::unavailable, doing, why);
}

// The other end is the right server. So whatever it does, in whatever words, it does to this account or this key: a
// module of PAM ends a log-in by a disconnect with or without a message, by EOF, or by silence.
void Session::authenticate(const Key& key, const std::string& user, const Deadline& deadline) {
  const std::string doing = fmt::format("log in at {} as {}", address().text(), user);
  const auto step = [&] { return ::ssh_userauth_publickey(session_.get(), user.c_str(), key.get()); };
  const int result = repeat(*this, step, SSH_AUTH_AGAIN, deadline, doing);
  if (result == SSH_AUTH_SUCCESS) return;
  if (result == SSH_AUTH_PARTIAL) fail(tool::not_permitted, doing, "server wants more than our key " + key.name());
  const std::string why = lost_reason();
  if (!connected())
    fail(tool::not_permitted, doing, fmt::format("server hangs up on our key {} ({})", key.name(), why));
  // libssh denies by itself, without asking the server, what it will not sign with.
  const bool asked = result == SSH_AUTH_DENIED && why.starts_with("Access denied");
  if (asked) fail(tool::not_permitted, doing, "server refuses our key " + key.name());
  fail(tool::config, "sign with key " + key.name(), why);
}

bool Session::sending() const { return (::ssh_get_poll_flags(session_.get()) & SSH_WRITE_PENDING) != 0; }

short Session::events() const { return static_cast<short>(sending() ? POLLIN | POLLOUT : POLLIN); }

bool Session::process() {
  acknowledge_at_once(fd());
  // Each turn reads one buffer of libssh (4 KiB). Several turns save polling all the other descriptors.
  for (int turn = 0; turn < 16; ++turn) {
    if (::ssh_event_dopoll(event_.get(), 0) != SSH_OK) break;
  }
  return connected();
}

bool Session::connected() const {
  return ::ssh_is_connected(session_.get()) && !(::ssh_get_status(session_.get()) & (SSH_CLOSED | SSH_CLOSED_ERROR));
}

std::string Session::lost_reason() const {
  std::string error = libssh_error(session_.get());  // before the next call overwrites it
  if (const char* said = ::ssh_get_disconnect_message(session_.get())) {
    return fmt::format("server says: {}", said);
  }
  // Where the other end has closed it, libssh shows whatever errno there was before.
  const std::string_view cause =
      std::string_view(error).substr(error.starts_with(kSocketError) ? kSocketError.size() : 0);
  for (const std::string& stale : {std::string(), std::string("disconnected"), errno_text(0), errno_text(EINPROGRESS),
                                   errno_text(EAGAIN), errno_text(EACCES)})
    if (cause == stale) return "server hung up";
  return error;
}

void Session::send_keepalive() {
  // In 0.10.6 a call on a non-blocking session either sends a request or, if one is outstanding, only checks
  // whether it was answered. So the first call clears an answered request and the second sends one. If neither
  // sends, the last request is still unanswered, and the caller's limit on silence decides.
  ::ssh_send_keepalive(session_.get());
  ::ssh_send_keepalive(session_.get());
}

void Session::flush(milliseconds limit) {
  const auto deadline = Deadline::in(limit);
  while (sending() && process() && !deadline.over()) await::writable(fd(), deadline);
}

// libssh calls back from within process(), put() and the like. Nothing may be thrown through it.
struct Command::State {
  ssh_channel_callbacks_struct callbacks{};
  std::string received[2];      // by Output
  std::size_t waiting[2] = {};  // left in libssh's own buffer
  bool eof = false;
  bool closed = false;
  std::optional<End> end;

  static State& of(void* userdata) { return *static_cast<State*>(userdata); }

  static int on_data(ssh_session, ssh_channel, void* bytes, std::uint32_t length, int is_err, void* userdata) noexcept {
    State& state = of(userdata);
    std::string& into = state.received[is_err ? 1 : 0];
    std::size_t& waiting = state.waiting[is_err ? 1 : 0];
    waiting = length;
    if (into.size() >= kMaxTakenAhead) return 0;
    try {
      into.append(static_cast<const char*>(bytes), length);
    } catch (...) {
      return 0;
    }
    waiting = 0;
    return static_cast<int>(length);
  }
  static void on_eof(ssh_session, ssh_channel, void* userdata) noexcept { of(userdata).eof = true; }
  static void on_close(ssh_session, ssh_channel, void* userdata) noexcept {
    of(userdata).eof = true;
    of(userdata).closed = true;
  }
  static void on_status(ssh_session, ssh_channel, int status, void* userdata) noexcept {
    of(userdata).end = End{status & 0xff, ""};
  }
  static void on_signal(ssh_session, ssh_channel, const char* name, int, const char*, const char*,
                        void* userdata) noexcept {
    try {
      of(userdata).end = End{0, name};
    } catch (...) {
      of(userdata).end = End{255, ""};
    }
  }
};

void Command::Deleter::operator()(State* state) const { delete state; }

void Command::Deleter::operator()(ssh_channel_struct* channel) const { ::ssh_channel_free(channel); }

template <typename Step>
void Command::request(Step step, const std::string& doing, bool logged_in) {
  const std::string what = fmt::format("{} at {}", doing, session_.address().text());
  if (repeat(session_, step, SSH_AGAIN, Deadline::in(kRequestTimeout), what) == SSH_OK) return;
  // Until the channel is there, who hangs up refuses the account.
  const bool refused = session_.connected() || !logged_in;
  fail(refused ? tool::not_permitted : tool::unavailable, what, session_.lost_reason());
}

Command::Command(Session& session) : session_(session), state_(new State), channel_(::ssh_channel_new(session.get())) {
  if (!channel_) throw std::bad_alloc();
  auto& callbacks = state_->callbacks;
  callbacks.userdata = state_.get();
  callbacks.channel_data_function = State::on_data;
  callbacks.channel_eof_function = State::on_eof;
  callbacks.channel_close_function = State::on_close;
  callbacks.channel_exit_status_function = State::on_status;
  callbacks.channel_exit_signal_function = State::on_signal;
  ssh_callbacks_init(&callbacks);
  if (::ssh_set_channel_callbacks(channel_.get(), &callbacks) != SSH_OK) throw std::bad_alloc();
  request([this] { return ::ssh_channel_open_session(channel_.get()); }, "open channel", false);
}

Command::~Command() {
  const bool alive = session_.connected();
  if (alive && started_ && !state_->end && !state_->closed) {
    ::ssh_channel_request_send_signal(channel_.get(), "HUP");
  }
  // The first call may get only as far as the EOF.
  if (alive && ::ssh_channel_close(channel_.get()) == SSH_AGAIN) ::ssh_channel_close(channel_.get());
  if (alive) session_.flush(kDisconnectTime);
  // The channel may live on in libssh until the session is freed.
  ::ssh_remove_channel_callbacks(channel_.get(), &state_->callbacks);
}

void Command::request_terminal(const std::string& term, WindowSize size) {
  request([&] { return ::ssh_channel_request_pty_size(channel_.get(), term.c_str(), size.columns, size.rows); },
          "request terminal", true);
}

void Command::resize(WindowSize size) { ::ssh_channel_change_pty_size(channel_.get(), size.columns, size.rows); }

void Command::start(const std::string& command_line) {
  request([&] { return ::ssh_channel_request_exec(channel_.get(), command_line.c_str()); }, "run command", true);
  started_ = true;
}

std::string Command::take(Output from) {
  fetch(from);
  return std::exchange(state_->received[from == Output::err ? 1 : 0], {});
}

// Reading everything that waits makes libssh open the window again. Reading less would also do that,
// and let its buffer grow beyond any bound.
void Command::fetch(Output from) {
  const int index = from == Output::err ? 1 : 0;
  std::string& into = state_->received[index];
  const std::size_t waiting = std::exchange(state_->waiting[index], 0);
  if (waiting == 0) return;
  const std::size_t before = into.size();
  into.resize(before + waiting);
  const int got =
      ::ssh_channel_read_nonblocking(channel_.get(), into.data() + before, static_cast<std::uint32_t>(waiting), index);
  into.resize(before + static_cast<std::size_t>(std::max(got, 0)));
}

std::size_t Command::held(Output from) const {
  const int index = from == Output::err ? 1 : 0;
  return state_->received[index].size() + state_->waiting[index];
}

std::size_t Command::room() const {
  if (state_->closed || session_.sending()) return 0;
  return std::min<std::size_t>(::ssh_channel_window_size(channel_.get()), kMaxPut);
}

std::size_t Command::put(std::string_view bytes) {
  const std::size_t fits = std::min(bytes.size(), room());
  if (fits == 0) return 0;
  const int taken = ::ssh_channel_write(channel_.get(), bytes.data(), static_cast<std::uint32_t>(fits));
  return taken < 0 ? 0 : static_cast<std::size_t>(taken);  // an error shows in process()
}

void Command::send_eof() { ::ssh_channel_send_eof(channel_.get()); }

bool Command::at_eof() const { return state_->eof; }
bool Command::closed() const { return state_->closed; }
const std::optional<End>& Command::end() const { return state_->end; }

}  // namespace upstream
