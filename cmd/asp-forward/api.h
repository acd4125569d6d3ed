// api: the requests to the node API.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "answer.h"
#include "base/signals.h"
#include "http/node_client.h"

namespace forward {

struct Wanted {
  std::string destination;  // a name or an address
  Port ssh_port = 22;
  PortRange udp_ports{33001, 33001};
};

// Once the proxy has answered, all further requests go to the address that answered: another host
// behind the same name does not have our leases.
class Api {
 public:
  Api(node_client::Server server, node_client::Trust trust, std::chrono::milliseconds patience, Signals& signals)
      : server_(std::move(server)), trust_(std::move(trust)), patience_(patience), signals_(signals) {}

  // Where no authority vouches for the certificate, `accept` is asked whether its fingerprint, in the form of
  // show_fingerprint, is right.
  void on_strange(std::function<bool(const std::string& shown)> accept) { accept_ = std::move(accept); }

  // These calls wait for the answer. A signal ends the wait: at once if the proxy cannot have the request yet,
  // otherwise after 3 seconds. Failure{as exit_for, with the API's sentence; 69, 76, 65 as Exchange; 128+n}.
  Leased open(const Wanted& wanted);
  Leased renew(const std::string& id);
  void close(const std::string& id);

  // The caller drives it.
  std::unique_ptr<node_client::Exchange> begin_renewal(const std::string& id, std::chrono::milliseconds patience) const;
  // Not ended by a signal.
  node_client::Answer close_now(const std::string& id, std::chrono::milliseconds patience) const;

 private:
  node_client::Answer ask(const std::string& what, const node_client::Request& request, long success);
  node_client::Answer wait(node_client::Exchange& exchange);
  // Returns if the certificate is accepted from now on; otherwise adds the fingerprint that the proxy shows, when
  // that is of use.
  void accept_or_explain(const tool::Failure& failure);

  node_client::Server server_;
  node_client::Trust trust_;
  std::chrono::milliseconds patience_;
  Signals& signals_;
  std::string address_;
  std::function<bool(const std::string&)> accept_;
};

}  // namespace forward
