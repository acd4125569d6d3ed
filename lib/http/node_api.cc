#include "http/node_api.h"

#include <fcntl.h>
#include <microhttpd.h>
#include <strings.h>
#include <sys/socket.h>

#include <condition_variable>
#include <map>
#include <set>
#include <thread>
#include <utility>

#include <fmt/core.h>

#include "base/decimal.h"
#include "base/failure.h"
#include "http/request_head.h"
#include "http/shares.h"

namespace node_api {
namespace {

using Clock = std::chrono::steady_clock;

// No version before TLS 1.2, no key exchange without forward secrecy, no cipher but AEAD.
constexpr char kPriorities[] =
    "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:+AES-256-GCM:"
    "+CHACHA20-POLY1305:+AES-128-GCM:-MAC-ALL:+AEAD:%SERVER_PRECEDENCE";
constexpr std::size_t kConnectionMemory = 24 * 1024;  // holds the header, and what is sent at a time
constexpr std::size_t kMaxDiscarded = 256 * 1024;     // of a body that is too large
constexpr unsigned kBacklog = 512;

// True if Content-Length is too large. A number too long to be parsed is too large, too.
bool announces_too_much(MHD_Connection* connection) {
  const char* length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
  return length && !parse_decimal(length, 0, static_cast<long>(kMaxBody));
}

// The header's value. If it occurs more than once, none of the values is believed.
std::optional<std::string> only_header(MHD_Connection* connection, const char* name) {
  struct Found {
    const char* name;
    int count = 0;
    std::string value;
  } found{name, 0, {}};
  MHD_get_connection_values(
      connection, MHD_HEADER_KIND,
      [](void* into, MHD_ValueKind, const char* key, const char* value) {
        auto& one = *static_cast<Found*>(into);
        if (::strcasecmp(key, one.name) != 0) return MHD_YES;
        ++one.count;
        one.value = value ? value : "";
        return MHD_YES;
      },
      &found);
  if (found.count == 0) return std::nullopt;
  return found.count == 1 ? found.value : std::string();
}

// Newer releases are strict themselves, in levels; with the older ones, the bytes are looked at here.
template <typename Option>
constexpr bool has_levels() {
  return requires { Option::MHD_OPTION_CLIENT_DISCIPLINE_LVL; };
}
template <typename Option>
constexpr Option strictness() {
  if constexpr (has_levels<Option>()) return Option::MHD_OPTION_CLIENT_DISCIPLINE_LVL;
  else return Option::MHD_OPTION_STRICT_FOR_CLIENT;
}
constexpr int kStrictest = has_levels<MHD_OPTION>() ? 3 : 1;

// What is wrong with the head of a request; empty: nothing. Whatever it is, the connection is closed.
std::string fault_of(MHD_Connection* connection, const char* url, const char* method, const char* version) {
  request_head::Head head{method, url, version, {}};
  MHD_get_connection_values_n(
      connection, MHD_HEADER_KIND,
      [](void* into, MHD_ValueKind, const char* key, std::size_t key_size, const char* value, std::size_t value_size) {
        auto& headers = static_cast<request_head::Head*>(into)->headers;
        headers.emplace_back(std::string_view(key, key_size),
                             value ? std::string_view(value, value_size) : std::string_view(key + key_size, 0));
        return MHD_YES;
      },
      &head);
  if (MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, nullptr, nullptr) > 0)
    return "Query parameters are not supported.";
  const std::string fault = request_head::fault(head);
  if (!fault.empty() || has_levels<MHD_OPTION>()) return fault;
  const auto* const size = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
  if (size && request_head::is_plain(head, {method, size->header_size})) return "";
  return "The request is not plain HTTP: a byte or line end that should not be there.";
}

Endpoint local_end(int socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0)
    tool::fail_errno(tool::os, "getsockname");
  return Endpoint::from_sockaddr(reinterpret_cast<sockaddr&>(address));
}

int socket_of(MHD_Connection* connection) {
  return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

Endpoint client_of(MHD_Connection* connection) {
  return Endpoint::from_sockaddr(*MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
}

MHD_Result send_answer(MHD_Connection* connection, const Answer& answer, bool last) {
  MHD_Response* response =
      MHD_create_response_from_buffer(answer.body.size(), const_cast<char*>(answer.body.data()), MHD_RESPMEM_MUST_COPY);
  if (!response) return MHD_NO;
  if (!answer.body.empty()) MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer.type.c_str());
  MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
  if (last) MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
  for (const auto& [name, value] : answer.headers) MHD_add_response_header(response, name.c_str(), value.c_str());
  const MHD_Result queued = MHD_queue_response(connection, static_cast<unsigned>(answer.status), response);
  MHD_destroy_response(response);
  return queued;
}

}  // namespace

void Exchange::answer(Answer answer) {
  const std::lock_guard lock(mutex_);
  if (answer_) return;
  answer_ = std::move(answer);
  if (suspended_) MHD_resume_connection(static_cast<MHD_Connection*>(suspended_));
}

// All daemons of libmicrohttpd, and what is known of their connections.
class Connections {
 public:
  explicit Connections(Handler handler) : handler_(std::move(handler)), watch_([this] { watch(); }) {}

  ~Connections() {
    std::vector<Fd> listening;  // to be closed after the threads that poll them have ended
    for (const auto& daemon : daemons_) listening.emplace_back(MHD_quiesce_daemon(daemon.get()));
    wait_for_answers();
    refuse_the_rest();
    daemons_.clear();
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    changed_.notify_all();
    watch_.join();
  }

  void listen(Listening one, const Tls& tls) {
    if (::listen(one.socket.get(), kBacklog) != 0) tool::fail_errno(tool::os, "listen");
    const int owned = ::fcntl(one.socket.get(), F_DUPFD_CLOEXEC, 0);  // the daemon closes it
    if (owned < 0) tool::fail_errno(tool::os, "fcntl F_DUPFD_CLOEXEC");
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    std::vector<MHD_OptionItem> secured;
    if (one.tls) {
      flags |= MHD_USE_TLS;
      secured = {{MHD_OPTION_HTTPS_MEM_CERT, 0, const_cast<char*>(tls.certificate.c_str())},
                 {MHD_OPTION_HTTPS_MEM_KEY, 0, const_cast<char*>(tls.key.c_str())},
                 {MHD_OPTION_HTTPS_PRIORITIES, 0, const_cast<char*>(kPriorities)}};
    }
    secured.push_back({MHD_OPTION_END, 0, nullptr});
    auto& guests = guests_.emplace_back(std::make_unique<Guests>(Guests{*this, {}}));
    MHD_Daemon* daemon =
        MHD_start_daemon(flags, 0, &Connections::on_guest, guests.get(), &Connections::on_request, this,  //
                         MHD_OPTION_LISTEN_SOCKET, owned,                                                 //
                         MHD_OPTION_NOTIFY_CONNECTION, &Connections::on_connection, guests.get(),         //
                         MHD_OPTION_NOTIFY_COMPLETED, &Connections::on_completed, this,                   //
                         MHD_OPTION_UNESCAPE_CALLBACK, &Connections::keep_escapes, nullptr,               //
                         MHD_OPTION_CONNECTION_LIMIT, kMaxConnections,                                    //
                         MHD_OPTION_CONNECTION_TIMEOUT, static_cast<unsigned>(kIdleTime.count()),         //
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, kConnectionMemory,                           //
                         strictness<MHD_OPTION>(), kStrictest,                                            //
                         MHD_OPTION_ARRAY, secured.data(), MHD_OPTION_END);
    if (!daemon)
      throw tool::Failure(tool::os,
                          one.tls ? "start HTTPS: libmicrohttpd refused" : "start HTTP: libmicrohttpd refused");
    daemons_.emplace_back(daemon);
  }

  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return deadlines_.size();
  }

 private:
  // The state that libmicrohttpd keeps for each request.
  struct Held {
    std::shared_ptr<Exchange> exchange;
    bool dispatched = false;
    std::size_t discarded = 0;
  };
  struct Deadline {
    int socket;
    Clock::time_point at;
  };
  // Who is connected to one listening socket.
  struct Guests {
    Connections& all;
    shares::Shares shares;
  };
  struct Stop {
    void operator()(MHD_Daemon* daemon) const { MHD_stop_daemon(daemon); }
  };

  static std::size_t keep_escapes(void*, MHD_Connection*, char* text) { return std::char_traits<char>::length(text); }

  // Both are called in the thread of the listening socket.
  static MHD_Result on_guest(void* of, const sockaddr* client, socklen_t) {
    return static_cast<Guests*>(of)->shares.admit(IpAddress::from_sockaddr(*client)) ? MHD_YES : MHD_NO;
  }

  static void on_connection(void* of, MHD_Connection* connection, void**, MHD_ConnectionNotificationCode code) {
    auto& guests = *static_cast<Guests*>(of);
    const IpAddress client = client_of(connection).ip;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
      guests.shares.add(client);
      guests.all.set_deadline(connection, kRequestTime);
    } else {
      guests.shares.remove(client);
      guests.all.forget(connection);
    }
  }

  static void on_completed(void* self, MHD_Connection* connection, void** state, MHD_RequestTerminationCode how) {
    auto& all = *static_cast<Connections*>(self);
    auto* held = static_cast<Held*>(*state);
    if (!held) return;
    *state = nullptr;
    {
      const std::lock_guard lock(all.mutex_);
      all.open_.erase(held->exchange);
    }
    all.changed_.notify_all();
    const auto undelivered = end(*held->exchange);
    if (undelivered && how != MHD_REQUEST_TERMINATED_COMPLETED_OK) undelivered();
    delete held;
    all.set_deadline(connection, kIdleTime + kRequestTime);
  }

  static MHD_Result on_request(void* self, MHD_Connection* connection, const char* url, const char* method,
                               const char* version, const char* data, std::size_t* size, void** state) {
    try {
      auto& all = *static_cast<Connections*>(self);
      if (!*state) return all.begin(connection, url, method, version, state);
      auto& held = *static_cast<Held*>(*state);
      if (*size > 0) {
        const std::size_t taken = *size;
        *size = 0;
        return take_body(held, data, taken);
      }
      return all.finish(connection, held);
    } catch (const std::exception&) {
      return MHD_NO;  // closes the connection
    }
  }

  MHD_Result begin(MHD_Connection* connection, const char* url, const char* method, const char* version, void** state) {
    auto held = std::make_unique<Held>();
    held->exchange = std::make_shared<Exchange>();
    Request& request = held->exchange->request_;
    request.method = method;
    request.path = url;
    request.fault = fault_of(connection, url, method, version);
    request.authorization = only_header(connection, MHD_HTTP_HEADER_AUTHORIZATION);
    request.content_type = only_header(connection, MHD_HTTP_HEADER_CONTENT_TYPE).value_or("");
    request.socket = socket_of(connection);
    request.client = client_of(connection);
    request.local = local_end(request.socket);
    request.too_large = announces_too_much(connection);
    Held& kept = *held;
    *state = held.release();
    // The body is not waited for: the connection closes after the answer.
    return request.too_large || !request.fault.empty() ? finish(connection, kept) : MHD_YES;
  }

  static MHD_Result take_body(Held& held, const char* data, std::size_t size) {
    Request& request = held.exchange->request_;
    if (!request.too_large && request.body.size() + size <= kMaxBody) {
      request.body.append(data, size);
      return MHD_YES;
    }
    request.too_large = true;
    request.body.clear();
    held.discarded += size;
    return held.discarded > kMaxDiscarded ? MHD_NO : MHD_YES;
  }

  MHD_Result finish(MHD_Connection* connection, Held& held) {
    Exchange& exchange = *held.exchange;
    if (!held.dispatched) {
      held.dispatched = true;
      set_deadline(connection, std::nullopt);
      {
        const std::lock_guard lock(mutex_);
        open_.insert(held.exchange);
      }
      handler_(held.exchange);
    }
    const std::lock_guard lock(exchange.mutex_);
    if (!exchange.answer_) {
      exchange.suspended_ = connection;
      MHD_suspend_connection(connection);
      return MHD_YES;
    }
    exchange.suspended_ = nullptr;
    set_deadline(connection, kAnswerTime);
    return send_answer(connection, *exchange.answer_, !exchange.request_.fault.empty());
  }

  // Moves the callback for an undelivered answer out of the exchange, since it may own the exchange that owns it.
  static std::function<void()> end(Exchange& exchange) {
    const std::lock_guard lock(exchange.mutex_);
    exchange.suspended_ = nullptr;
    return exchange.answer_ ? std::exchange(exchange.answer_->undelivered, nullptr) : nullptr;
  }

  // Absent: no deadline, since the client waits for us.
  void set_deadline(MHD_Connection* connection, std::optional<std::chrono::seconds> from_now) {
    const std::lock_guard lock(mutex_);
    deadlines_[connection] = {socket_of(connection), from_now ? Clock::now() + *from_now : Clock::time_point::max()};
  }

  void forget(MHD_Connection* connection) {
    const std::lock_guard lock(mutex_);
    deadlines_.erase(connection);
  }

  // A connection is removed from the list before its socket is closed, so no other can be hit.
  void watch() {
    std::unique_lock lock(mutex_);
    while (!over_) {
      changed_.wait_for(lock, std::chrono::seconds(1), [this] { return over_; });
      const auto now = Clock::now();
      for (auto& [connection, deadline] : deadlines_) {
        if (deadline.at > now) continue;
        ::shutdown(deadline.socket, SHUT_RDWR);
        deadline.at = Clock::time_point::max();
      }
    }
  }

  void wait_for_answers() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, Service::kEndTime, [this] { return open_.empty(); });
  }

  void refuse_the_rest() {
    std::set<std::shared_ptr<Exchange>> rest;
    {
      const std::lock_guard lock(mutex_);
      rest = open_;
    }
    for (const auto& exchange : rest) {
      exchange->answer({503,
                        "application/json",
                        "{\"error\":{\"code\":\"busy\",\"message\":\"The node service is stopping; try again.\"}}\n",
                        {},
                        {}});
    }
  }

  Handler handler_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<MHD_Connection*, Deadline> deadlines_;
  std::set<std::shared_ptr<Exchange>> open_;
  bool over_ = false;
  std::thread watch_;
  std::vector<std::unique_ptr<Guests>> guests_;
  std::vector<std::unique_ptr<MHD_Daemon, Stop>> daemons_;
};

Service::Service(std::vector<Listening> sockets, const Tls& tls, Handler handler)
    : connections_(std::make_unique<Connections>(std::move(handler))) {
  for (auto& one : sockets) connections_->listen(std::move(one), tls);
}

Service::~Service() = default;

std::size_t Service::connections() const { return connections_->count(); }

}  // namespace node_api
