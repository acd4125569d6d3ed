// session/request: the facts about a session before routing.
//
//   user=bear
//   client=10.0.31.133:51512
//   proxy=7.7.7.7:33001
//   domain=faspex.example.com:33001
//   command=ascp -S. -V1
//   udp=false
#pragma once

#include <optional>
#include <string>

#include "base/address.h"
#include "base/record.h"

namespace session {

struct Request {
  std::string user;                // the account on the proxy; accounts::is_name
  Endpoint client;                 // the client's end of the SSH connection
  Endpoint proxy;                  // our end of it
  std::optional<HostPort> domain;  // the name that the client asked for, if known
  std::string command;             // as logged; may be empty
  bool udp = true;                 // the command uses UDP

  // Strict: user, client and proxy are required, other names than the six are
  // refused, and so are a client and a proxy of different families. Failure{65}.
  static Request from_record(const Record& record);
  void add_to(Record& record) const;
};

// The conductor's request to the helpers that run as root: the request, with the session's id in
// front.
struct Asked {
  std::string session;
  Request request;

  // As strict as Request::from_record. Failure{65}.
  static Asked from_record(const Record& record);
  Record to_record() const;

  // The session and its user, for the log: "session=... user=... client=... proxy=...", and domain= if it is known.
  std::string identity() const;
};

}  // namespace session

namespace session::request {

// sshd's SSH_CONNECTION ("client port proxy port", sshd(8) ENVIRONMENT).
// Failure{65} when it does not have that form; Failure{77} for a link-local client (%zone).
void read_ssh_connection(const std::string& value, Request& into);

}  // namespace session::request
