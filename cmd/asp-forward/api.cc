#include "api.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/await.h"

namespace forward {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPatienceAfterSignal{3000};
constexpr milliseconds kFingerprintPatience{5000};

std::string path_of(const std::string& id) { return "/proxy/leases/" + id; }

std::string request_text(const Wanted& wanted) {
  nlohmann::json body{{"destination", wanted.destination}, {"ssh_port", wanted.ssh_port}};
  if (wanted.udp_ports.low == wanted.udp_ports.high) body["udp_port"] = wanted.udp_ports.low;
  else body["udp_port"] = wanted.udp_ports.text();
  return body.dump();
}

}  // namespace

Leased Api::open(const Wanted& wanted) {
  const auto answer = ask(fmt::format("lease {}", HostPort{wanted.destination, wanted.ssh_port}.text()),
                          {"POST", "/proxy/leases", request_text(wanted)}, 201);
  return parse_lease(answer.body);
}

Leased Api::renew(const std::string& id) { return parse_lease(ask("renew " + id, {"PUT", path_of(id), ""}, 200).body); }

void Api::close(const std::string& id) { ask("give back " + id, {"DELETE", path_of(id), ""}, 204); }

std::unique_ptr<node_client::Exchange> Api::begin_renewal(const std::string& id, milliseconds patience) const {
  return std::make_unique<node_client::Exchange>(server_, trust_, node_client::Request{"PUT", path_of(id), ""},
                                                 std::min(patience, patience_), address_);
}

node_client::Answer Api::close_now(const std::string& id, milliseconds patience) const {
  node_client::Exchange exchange(server_, trust_, {"DELETE", path_of(id), ""}, std::min(patience, patience_), address_);
  return node_client::perform(exchange);
}

node_client::Answer Api::ask(const std::string& what, const node_client::Request& request, long success) {
  const auto once = [&] {
    node_client::Exchange exchange(server_, trust_, request, patience_, address_);
    return wait(exchange);
  };
  node_client::Answer answer;
  try {
    answer = once();
  } catch (const tool::Failure& failure) {
    if (failure.code() != tool::untrusted) throw;
    accept_or_explain(failure);
    answer = once();
  }
  address_ = answer.address;
  if (answer.status == success) return answer;
  throw tool::Failure(exit_for(answer.status),
                      fmt::format("{} at {}: {}", what, server_.host.text(), sentence(answer)));
}

// The signal stays pending: with a lease there is something to give back first.
node_client::Answer Api::wait(node_client::Exchange& exchange) {
  auto until = Deadline::never();
  for (;;) {
    if (auto answer = exchange.drive()) return *answer;
    await::On proxy(exchange.fd()), signal(until == Deadline::never() ? signals_.fd() : -1);
    const bool over = until.over() || !await::any(until, proxy, signal);
    if (signal && exchange.sent()) {
      until = Deadline::in(kPatienceAfterSignal);
    } else if (signal || over) {
      if (const auto caught = signals_.take()) signals::end_by(caught->number);
    }
  }
}

void Api::accept_or_explain(const tool::Failure& failure) {
  if (!trust_.fingerprint.empty()) throw failure;
  const auto shown = node_client::ask_fingerprint(server_, kFingerprintPatience);
  if (shown.empty()) throw failure;
  if (accept_ && accept_(shown)) {
    trust_.fingerprint = node_client::parse_fingerprint(shown).value();
    return;
  }
  throw tool::Failure(tool::untrusted,
                      fmt::format("{}; if the administrator of the proxy confirms this one, use --fingerprint {}",
                                  failure.what(), shown));
}

}  // namespace forward
