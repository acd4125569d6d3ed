// http/node_client: one request to a node API over HTTP or HTTPS, and its answer; the
// only user of libcurl.
//
//   POST https://proxy.example.com:9092/proxy/leases  →  201 {"id":"3a9fd819-…",…}
//
// The server is not trusted. Its answer is bounded in size and time, it cannot send
// us anywhere else, and it gets the password only after its certificate has been
// judged. The environment is ignored, including its proxy settings.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/address.h"

namespace node_client {

constexpr std::size_t kMaxAnswer = 64 * 1024;  // bytes; the limit of the head, too

struct Server {
  bool tls = true;
  HostPort host;
  std::string user;  // empty: no user is named
  std::string password;
};

// The certificate that is accepted: the one with this fingerprint, whatever else it says; or one for
// this host, signed by these authorities; or by the system's.
struct Trust {
  std::string fingerprint;  // SHA-256, 64 hex digits in lower case
  std::string ca_file;      // PEM
};

struct Request {
  std::string method;  // GET POST PUT DELETE
  std::string path;    // "/proxy/leases"
  std::string body;    // JSON; empty: none
};

struct Answer {
  long status = 0;
  std::string body;
  std::string address;  // of the server; to be passed on as Exchange's `address`
};

// Parses the SHA-256 of a certificate, with or without colons, also behind "SHA256:" or "sha256
// Fingerprint=", as openssl x509 -fingerprint -sha256 prints it. Absent when it is not valid.
std::optional<std::string> parse_fingerprint(std::string_view text);
// The 64 hex digits for people to read: AA:BB:…
std::string show_fingerprint(const std::string& fingerprint);

class Exchange {
 public:
  // Begins the exchange. `address` is connected to instead of resolving the host's name (empty: the name is
  // resolved). `patience` is the time limit for all of it.
  Exchange(const Server& server, const Trust& trust, const Request& request, std::chrono::milliseconds patience,
           const std::string& address = {});
  Exchange(const Exchange&) = delete;
  ~Exchange();

  // Readable (poll) when drive() has something to do.
  int fd() const;
  // The answer, once it is there. Failure{69} when the server cannot be reached or takes too long, {76} when
  // its certificate is not accepted, {65} when its answer is not HTTP or is too long. It must not be called
  // again after an answer or a failure.
  std::optional<Answer> drive();
  // True if the server may have received the request by now.
  bool sent() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Waits for the answer, and returns it as drive() would.
Answer perform(Exchange& exchange);

// The fingerprint that the server shows, in the form of show_fingerprint; the server gets no request.
// Empty when it cannot be found out.
std::string ask_fingerprint(const Server& server, std::chrono::milliseconds patience);

}  // namespace node_client
