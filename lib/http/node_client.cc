#include "http/node_client.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>

#include <fmt/core.h>

#include "base/await.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/hex.h"

namespace node_client {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kConnectPatience{10'000};

struct EndEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct EndMulti {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct EndList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, EndEasy>;
using Multi = std::unique_ptr<CURLM, EndMulti>;
using List = std::unique_ptr<curl_slist, EndList>;

template <typename Value>
void set(const Easy& easy, CURLoption option, Value value) {
  if (const CURLcode code = curl_easy_setopt(easy.get(), option, value); code != CURLE_OK) {
    throw tool::Failure(tool::os, fmt::format("set up HTTP: {}", curl_easy_strerror(code)));
  }
}

void append(List& list, const std::string& line) {
  curl_slist* const longer = curl_slist_append(list.get(), line.c_str());
  if (!longer) throw std::bad_alloc();
  [[maybe_unused]] curl_slist* const same = list.release();
  list.reset(longer);
}

// Empty when there is no certificate, or libcurl's TLS is not GnuTLS.
std::string fingerprint_of_peer(CURL* easy) {
  curl_tlssessioninfo* tls = nullptr;
  if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &tls) != CURLE_OK || !tls || !tls->internals) return "";
  if (tls->backend != CURLSSLBACKEND_GNUTLS) return "";
  unsigned count = 0;
  const gnutls_datum_t* const chain =
      gnutls_certificate_get_peers(static_cast<gnutls_session_t>(tls->internals), &count);
  if (!chain || count == 0) return "";
  unsigned char digest[32];
  if (gnutls_hash_fast(GNUTLS_DIG_SHA256, chain[0].data, chain[0].size, digest) != 0) return "";
  return hex::encode({reinterpret_cast<const char*>(digest), sizeof digest});
}

// No command that is run later inherits a connection.
int close_on_exec(void*, curl_socket_t socket, curlsocktype) {
  return ::fcntl(socket, F_SETFD, FD_CLOEXEC) == 0 ? CURL_SOCKOPT_OK : CURL_SOCKOPT_ERROR;
}

// Sets every limit on what the server and the environment can make us do.
Easy bounded(const Server& server, const std::string& path, milliseconds patience) {
  [[maybe_unused]] static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  Easy easy(curl_easy_init());
  if (!easy) throw std::bad_alloc();
  const auto url = fmt::format("{}://{}{}", server.tls ? "https" : "http", server.host.text(), path);
  set(easy, CURLOPT_URL, url.c_str());
  set(easy, CURLOPT_PROTOCOLS_STR, server.tls ? "https" : "http");
  set(easy, CURLOPT_FOLLOWLOCATION, 0L);
  set(easy, CURLOPT_PROXY, "");
  set(easy, CURLOPT_NOPROXY, "*");
  set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(easy, CURLOPT_HTTP09_ALLOWED, 0L);
  set(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);  // each connection shows its certificate
  set(easy, CURLOPT_FRESH_CONNECT, 1L);
  set(easy, CURLOPT_FORBID_REUSE, 1L);
  set(easy, CURLOPT_NOSIGNAL, 1L);
  set(easy, CURLOPT_QUICK_EXIT, 1L);  // a resolver that hangs is left behind
  set(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::min(patience, kConnectPatience).count()));
  set(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(patience.count()));
  set(easy, CURLOPT_SOCKOPTFUNCTION, close_on_exec);
  return easy;
}

}  // namespace

std::optional<std::string> parse_fingerprint(std::string_view text) {
  const auto named = [&](std::string_view prefix) {
    const bool same = text.size() > prefix.size() &&
                      std::equal(prefix.begin(), prefix.end(), text.begin(),
                                 [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); });
    if (same) text.remove_prefix(prefix.size());
  };
  named("sha256 fingerprint=");
  named("sha256:");
  const bool colons = text.size() == 95;
  if (text.size() != 64 && !colons) return std::nullopt;
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!colons || i % 3 != 2) digits += text[i];
    else if (text[i] != ':') return std::nullopt;
  }
  const auto bytes = hex::decode(digits);
  return bytes ? std::optional(hex::encode(*bytes)) : std::nullopt;
}

std::string show_fingerprint(const std::string& fingerprint) {
  std::string shown;
  for (std::size_t i = 0; i < fingerprint.size(); ++i) {
    if (i > 0 && i % 2 == 0) shown += ':';
    shown += static_cast<char>(std::toupper(static_cast<unsigned char>(fingerprint[i])));
  }
  return shown;
}

// libcurl calls back into it; nothing is thrown from the callbacks.
struct Exchange::State {
  std::string name;    // of the server, for messages
  std::string pinned;  // fingerprint
  std::string shown;   // fingerprint; only when one is pinned
  bool matched = false;
  bool sent = false;
  bool too_long = false;
  std::size_t head = 0;  // bytes
  std::string body;
  std::string request;  // libcurl does not copy it
  char why[CURL_ERROR_SIZE] = "";
  Fd ready;  // epoll(7) of libcurl's sockets and timer
  Fd timer;
  List headers;
  List connect_to;
  Easy easy;
  Multi multi;

  // The easy handle must leave the multi handle before either is freed.
  ~State() {
    if (multi && easy) curl_multi_remove_handle(multi.get(), easy.get());
  }

  void watch(int fd, int what) {
    epoll_event event{};
    event.data.fd = fd;
    if (what == CURL_POLL_REMOVE) {
      ::epoll_ctl(ready.get(), EPOLL_CTL_DEL, fd, nullptr);
      return;
    }
    if (what & CURL_POLL_IN) event.events |= EPOLLIN;
    if (what & CURL_POLL_OUT) event.events |= EPOLLOUT;
    if (::epoll_ctl(ready.get(), EPOLL_CTL_MOD, fd, &event) != 0) ::epoll_ctl(ready.get(), EPOLL_CTL_ADD, fd, &event);
  }

  // Sets the timer in milliseconds; -1 stops it. 0 must not reach the timerfd: it would stop it, too.
  void wake_in(long left) {
    itimerspec at{};
    if (left > 0) at.it_value = {left / 1000, left % 1000 * 1'000'000};
    if (left == 0) at.it_value.tv_nsec = 1;
    ::timerfd_settime(timer.get(), 0, &at, nullptr);
  }

  // Judges the certificate, once the connection is made and before anything is sent on it.
  bool may_speak() {
    if (!pinned.empty()) {
      shown = fingerprint_of_peer(easy.get());
      matched = shown == pinned;
      if (!matched) return false;
    }
    sent = true;
    return true;
  }

  std::size_t take_head(std::size_t size) {
    head += size;
    too_long = too_long || head > kMaxAnswer;
    return too_long ? 0 : size;
  }
  std::size_t take_body(const char* bytes, std::size_t size) {
    too_long = too_long || body.size() + size > kMaxAnswer;
    if (too_long) return 0;
    body.append(bytes, size);  // within the reserved size
    return size;
  }

  [[noreturn]] void fail(CURLcode code);
  Answer answer();
};

void Exchange::State::fail(CURLcode code) {
  if (!pinned.empty() && !matched && code == CURLE_ABORTED_BY_CALLBACK) {
    throw tool::Failure(
        tool::untrusted,
        fmt::format("verify certificate of {}: its SHA256 fingerprint is {}, not the one that was given", name,
                    shown.empty() ? "unknown" : show_fingerprint(shown)));
  }
  if (too_long)
    throw tool::Failure(tool::bad_input, fmt::format("read answer of {}: more than {} bytes", name, kMaxAnswer));
  const std::string reason = why[0] ? why : curl_easy_strerror(code);
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CRL_BADFILE:
      throw tool::Failure(tool::untrusted, fmt::format("verify certificate of {}: {}", name, reason));
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
      throw tool::Failure(tool::bad_input, fmt::format("read answer of {}: {}", name, reason));
    default: throw tool::Failure(tool::unavailable, fmt::format("reach {}: {}", name, reason));
  }
}

Answer Exchange::State::answer() {
  if (!pinned.empty() && !matched)
    throw tool::Failure(tool::untrusted, fmt::format("verify certificate of {}: the proxy showed none", name));
  Answer result;
  const char* address = nullptr;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &result.status);
  curl_easy_getinfo(easy.get(), CURLINFO_PRIMARY_IP, &address);
  if (address) result.address = address;
  result.body = std::move(body);
  return result;
}

Exchange::Exchange(const Server& server, const Trust& trust, const Request& request, milliseconds patience,
                   const std::string& address)
    : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.name = server.host.text();
  state.pinned = server.tls ? trust.fingerprint : "";
  state.request = request.body;
  state.body.reserve(kMaxAnswer);
  state.ready = Fd(::epoll_create1(EPOLL_CLOEXEC));
  state.timer = Fd(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = state.timer.get();
  if (!state.ready || !state.timer || ::epoll_ctl(state.ready.get(), EPOLL_CTL_ADD, state.timer.get(), &event) != 0) {
    tool::fail_errno(tool::os, "epoll");
  }

  state.easy = bounded(server, request.path, patience);
  const Easy& easy = state.easy;
  set(easy, CURLOPT_ERRORBUFFER, state.why);
  set(
      easy, CURLOPT_PREREQFUNCTION, +[](void* self, char*, char*, int, int) {
        return static_cast<State*>(self)->may_speak() ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
      });
  set(easy, CURLOPT_PREREQDATA, &state);
  set(
      easy, CURLOPT_HEADERFUNCTION, +[](char*, std::size_t one, std::size_t count, void* self) {
        return static_cast<State*>(self)->take_head(one * count);
      });
  set(easy, CURLOPT_HEADERDATA, &state);
  set(
      easy, CURLOPT_WRITEFUNCTION, +[](char* bytes, std::size_t one, std::size_t count, void* self) {
        return static_cast<State*>(self)->take_body(bytes, one * count);
      });
  set(easy, CURLOPT_WRITEDATA, &state);

  if (!state.pinned.empty()) {  // may_speak() judges
    set(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    set(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  } else if (!trust.ca_file.empty()) {
    set(easy, CURLOPT_CAINFO, trust.ca_file.c_str());
    set(easy, CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  }
  if (!server.user.empty()) {
    set(easy, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    set(easy, CURLOPT_USERNAME, server.user.c_str());
    set(easy, CURLOPT_PASSWORD, server.password.c_str());
  }
  if (!address.empty()) {
    append(state.connect_to, fmt::format("::{}:", HostPort{address, 0}.text()));
    set(easy, CURLOPT_CONNECT_TO, state.connect_to.get());
  }
  append(state.headers, "Accept: application/json");
  if (!request.body.empty()) {
    append(state.headers, "Content-Type: application/json");
    set(easy, CURLOPT_POSTFIELDS, state.request.c_str());
    set(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(state.request.size()));
  }
  set(easy, CURLOPT_HTTPHEADER, state.headers.get());
  set(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());

  state.multi = Multi(curl_multi_init());
  if (!state.multi) throw std::bad_alloc();
  const auto on_socket = +[](CURL*, curl_socket_t socket, int what, void* self, void*) {
    static_cast<State*>(self)->watch(socket, what);
    return 0;
  };
  const auto on_timer = +[](CURLM*, long left, void* self) {
    static_cast<State*>(self)->wake_in(left);
    return 0;
  };
  curl_multi_setopt(state.multi.get(), CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(state.multi.get(), CURLMOPT_SOCKETDATA, &state);
  curl_multi_setopt(state.multi.get(), CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(state.multi.get(), CURLMOPT_TIMERDATA, &state);
  curl_multi_add_handle(state.multi.get(), state.easy.get());  // and calls on_timer
}

Exchange::~Exchange() = default;

int Exchange::fd() const { return state_->ready.get(); }
bool Exchange::sent() const { return state_->sent; }

std::optional<Answer> Exchange::drive() {
  State& state = *state_;
  epoll_event events[8];
  const int count = ::epoll_wait(state.ready.get(), events, 8, 0);
  int running = 0;
  for (int i = 0; i < count; ++i) {
    if (events[i].data.fd == state.timer.get()) {
      state.wake_in(-1);
      curl_multi_socket_action(state.multi.get(), CURL_SOCKET_TIMEOUT, 0, &running);
      continue;
    }
    int what = 0;
    if (events[i].events & EPOLLIN) what |= CURL_CSELECT_IN;
    if (events[i].events & EPOLLOUT) what |= CURL_CSELECT_OUT;
    if (events[i].events & (EPOLLERR | EPOLLHUP)) what |= CURL_CSELECT_ERR;
    curl_multi_socket_action(state.multi.get(), events[i].data.fd, what, &running);
  }
  int left = 0;
  while (const CURLMsg* const message = curl_multi_info_read(state.multi.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    if (message->data.result != CURLE_OK) state.fail(message->data.result);
    return state.answer();
  }
  return std::nullopt;
}

Answer perform(Exchange& exchange) {
  for (;;) {
    if (auto answer = exchange.drive()) return *answer;
    await::readable(exchange.fd(), Deadline::never());
  }
}

std::string ask_fingerprint(const Server& server, milliseconds patience) {
  std::string seen;
  struct Look {
    CURL* easy;
    std::string* seen;
  };
  const Easy easy = bounded(server, "/", patience);
  Look look{easy.get(), &seen};
  set(easy, CURLOPT_SSL_VERIFYPEER, 0L);
  set(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  set(
      easy, CURLOPT_PREREQFUNCTION, +[](void* self, char*, char*, int, int) {
        const auto* const asked = static_cast<Look*>(self);
        *asked->seen = fingerprint_of_peer(asked->easy);
        return CURL_PREREQFUNC_ABORT;
      });
  set(easy, CURLOPT_PREREQDATA, &look);
  curl_easy_perform(easy.get());
  return seen.empty() ? "" : show_fingerprint(seen);
}

}  // namespace node_client
