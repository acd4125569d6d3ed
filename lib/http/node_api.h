// http/node_api: HTTP(S) service for small requests and answers; the only user of
// libmicrohttpd, and with it of TLS on connections.
//
//   node_api::Service service({{listening, true}}, tls, [](std::shared_ptr<node_api::Exchange> exchange) {
//     exchange->answer({200, {}, "{}\n", {}});   // now, or later, from any thread
//   });
//
// One thread for each listening socket. What waits for something waits without
// a thread: its connection is set aside until answer() is called. Each connection
// has a deadline for the whole of a request and for the whole of an answer, so
// that bytes that come one by one keep nothing alive.
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
// Of each listening socket: connections in all, and from one address.
constexpr unsigned kMaxConnections = 1000;
constexpr unsigned kMaxOfAddress = 200;
constexpr std::chrono::seconds kIdleTime{15};     // between two bytes, and two requests
constexpr std::chrono::seconds kRequestTime{20};  // TLS, header and body of one request
constexpr std::chrono::seconds kAnswerTime{60};   // to take the whole answer

struct Request {
  std::string method;  // as it came; HEAD is answered like GET, without the body
  std::string path;    // as it came: nothing is decoded
  bool query = false;  // there was something behind a '?'
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
  // Called in the thread of the socket if the client has gone before he had it all.
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
  Fd socket;  // bound, not yet listen(2)ing
  bool tls = false;
};
struct Tls {
  std::string certificate;  // PEM, with the chain behind it
  std::string key;          // PEM
};

// Called in the thread of the socket: must not wait, nor throw.
using Handler = std::function<void(std::shared_ptr<Exchange>)>;

class Connections;

class Service {
 public:
  // Failure{71}. TLS 1.2 and later.
  Service(std::vector<Listening> sockets, const Tls& tls, Handler handler);
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  // Takes no more connections, waits at most `kEndTime` for answers, then answers
  // what is left with 503.
  ~Service();
  static constexpr std::chrono::seconds kEndTime{3};

  std::size_t connections() const;

 private:
  std::unique_ptr<Connections> connections_;
};

}  // namespace node_api
