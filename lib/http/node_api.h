// http/node_api: HTTP(S) service for small requests and answers; the only user of
// libmicrohttpd, and with it of TLS on connections.
//
//   node_api::Service service({{listening, true}}, tls, [](std::shared_ptr<node_api::Exchange> exchange) {
//     exchange->answer({200, {}, "{}\n", {}});   // now, or later, from any thread
//   });
//
// Each listening socket has one thread. A request that waits for something needs no
// thread: its connection is set aside until answer() is called. Each connection
// has a deadline for a whole request and for a whole answer, so bytes that
// arrive one by one keep nothing alive.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/fd.h"

namespace node_api {

constexpr std::size_t kMaxBody = 8192;
constexpr unsigned kMaxConnections = 1000;        // for each listening socket; http/shares.h
constexpr std::chrono::seconds kIdleTime{15};     // between two bytes, and between two requests
constexpr std::chrono::seconds kRequestTime{20};  // TLS, header and body of one request
constexpr std::chrono::seconds kAnswerTime{60};   // for the client to receive the whole answer

struct Request {
  std::string method;  // as the client sent it; HEAD is answered like GET, without the body
  std::string path;    // as the client sent it: nothing is decoded
  // Why the head cannot be understood, or not in one way only (http/request_head.h), one sentence; empty: it
  // can. The body is not read then, and the answer is the connection's last.
  std::string fault;
  std::optional<std::string> authorization;
  std::string content_type;
  std::string body;        // at most kMaxBody bytes
  bool too_large = false;  // the body was larger, and is not here
  Endpoint client;
  Endpoint local;
  int socket = -1;  // the TCP connection; only until the answer
};

struct Answer {
  int status = 200;
  std::string type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  // besides Content-Type and Cache-Control
  // Called in the thread of the socket if the client closes the connection before it has the whole answer.
  std::function<void()> undelivered = {};
};

// One request and its answer.
class Exchange {
 public:
  const Request& request() const { return request_; }
  // Thread-safe. The first answer counts.
  void answer(Answer answer);

 private:
  friend class Connections;
  Request request_;
  std::mutex mutex_;
  std::optional<Answer> answer_;
  void* suspended_ = nullptr;  // the connection that waits
};

struct Listening {
  Fd socket;  // bound; not yet listening (listen(2))
  bool tls = false;
};
struct Tls {
  std::string certificate;  // PEM, followed by its chain
  std::string key;          // PEM
};

// Called in the thread of the socket. It must not wait, and must not throw.
using Handler = std::function<void(std::shared_ptr<Exchange>)>;

class Connections;

class Service {
 public:
  // Failure{71}. TLS 1.2 and later.
  Service(std::vector<Listening> sockets, const Tls& tls, Handler handler);
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  // Accepts no more connections, waits at most `kEndTime` for answers, then answers the rest with 503.
  ~Service();
  static constexpr std::chrono::seconds kEndTime{3};

  std::size_t connections() const;

 private:
  std::unique_ptr<Connections> connections_;
};

}  // namespace node_api
