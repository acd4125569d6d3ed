// http/node_client: one request to a node API over HTTP or HTTPS, and its answer; the
// only user of libcurl.
//
//   POST https://proxy.example.com:9092/proxy/leases  →  201 {"id":"3a9fd819-…",…}
//
// The server is not trusted: what it answers is bounded in size and time, it can
// send us nowhere else, and it gets the password only after its certificate has
// been judged. Of the environment nothing is heeded, no proxy either.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/address.h"

namespace node_client {

constexpr std::size_t kMaxAnswer = 64 * 1024;  // bytes; of the head, too

struct Server {
  bool tls = true;
  HostPort host;
  std::string user;  // empty: none is named
  std::string password;
};

// Whose certificate is accepted: one with this fingerprint, whatever else it
// says; or one for this host by these authorities; or by the system's.
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
  std::string address;  // of the server, for Exchange's `address`
};

// SHA-256 of a certificate with or without colons, and also behind "SHA256:" or
// "sha256 Fingerprint=", as openssl x509 -fingerprint -sha256 prints it. Absent
// when it is none.
std::optional<std::string> parse_fingerprint(std::string_view text);
// 64 hex digits as people read them: AA:BB:…
std::string show_fingerprint(const std::string& fingerprint);

class Exchange {
 public:
  // Begins. `address`: where it connects to, in place of asking for the host's
  // name (empty: it asks). `patience` is for all of it.
  Exchange(const Server& server, const Trust& trust, const Request& request, std::chrono::milliseconds patience,
           const std::string& address = {});
  Exchange(const Exchange&) = delete;
  ~Exchange();

  // Readable (poll) when drive() has something to do.
  int fd() const;
  // The answer, once it is there. Failure{69} when the server cannot be reached or
  // takes too long, {76} when its certificate is not accepted, {65} when what it
  // says is no HTTP or too long. Not to be called again after either.
  std::optional<Answer> drive();
  // Whether the server may have the request by now.
  bool sent() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// What drive() would return, waited for.
Answer perform(Exchange& exchange);

// The fingerprint that the server shows, as show_fingerprint has it; it is told
// nothing. Empty when it cannot be found out.
std::string ask_fingerprint(const Server& server, std::chrono::milliseconds patience);

}  // namespace node_client
