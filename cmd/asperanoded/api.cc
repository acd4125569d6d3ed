#include "api.h"

#include <fcntl.h>

#include <algorithm>

#include <fmt/core.h>

#include "api_json.h"
#include "base/decimal.h"
#include "base/logging.h"
#include "base/uuid.h"
#include "config/destination_policy.h"
#include "kernel/own_addresses.h"
#include "lease_request.h"
#include "refusal.h"

#ifndef SALLYPORT_VERSION
#define SALLYPORT_VERSION "unknown"
#endif

namespace asperanoded {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMaxLists = 4;  // answered at the same time: a list may be long
constexpr std::chrono::seconds kSurroundingsKept{1};
constexpr char kLeasePath[] = "/proxy/leases/";

bool is_loopback(const IpAddress& address) {
  static const auto v4 = Network::parse("127.0.0.0/8");
  static const auto v6 = IpAddress::parse("::1");
  return v4->contains(address) || address == *v6;
}

bool offers(std::string_view methods, const std::string& method) {
  for (std::size_t at = 0; at < methods.size();) {
    const auto end = std::min(methods.find(", ", at), methods.size());
    if (methods.substr(at, end - at) == method) return true;
    at = end + 2;
  }
  return false;
}

// A copy of the connection for asp-lease to examine, which closes its copy.
Fd copy_of(int socket) {
  Fd copy(::fcntl(socket, F_DUPFD_CLOEXEC, 3));
  if (!copy) throw Refusal("busy", "The node service has too many connections; try again.");
  return copy;
}

}  // namespace

const Api::Route Api::kRoutes[] = {
    {"/ping", "GET, HEAD, OPTIONS", true},
    {"/openapi.yaml", "GET, HEAD, OPTIONS", true},
    {"/info", "GET, HEAD, OPTIONS", false},
    {"/metrics", "GET, HEAD, OPTIONS", false},
    {"/proxy/leases", "GET, HEAD, POST, OPTIONS", false},
    {"/proxy/leases/{id}", "GET, HEAD, PUT, DELETE, OPTIONS", false},
};

bool Api::Call::is(const char* method) const { return request().method == method; }

Api::Api(Parts parts) : parts_(std::move(parts)), connections_([] { return 0; }) {}

Api::~Api() {
  parts_.timer.stop();
  parts_.gate.stop();
  parts_.resolver.stop();
  parts_.link.stop();
}

// Reads them at most once a second: interfaces come and go, but not a thousand times a second.
config::destination::Surroundings Api::surroundings() {
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  if (here_.own.empty() || now - here_read_ > kSurroundingsKept) {
    here_ = {own_addresses::read(), own_addresses::connected()};
    here_read_ = now;
  }
  return here_;
}

// --- one request ------------------------------------------------------------------

void Api::handle(std::shared_ptr<node_api::Exchange> exchange) {
  const auto call = std::make_shared<Call>();
  call->exchange = std::move(exchange);
  call->config = parts_.config.config();
  guarded(*call, [&] { admit(call); });
}

// Turns whatever is thrown into the answer.
void Api::guarded(const Call& call, const std::function<void()>& work) {
  try {
    work();
  } catch (const Refusal& no) {
    refuse(call, no);
  } catch (const std::exception& fault) {
    logging::error("{} {}: {}", logging::told(call.request().method), logging::told(call.request().path),
                   logging::escape(fault.what()));
    refuse(call, Refusal("internal", "The node service could not do it; its log says why."));
  }
}

void Api::answer(const Call& call, node_api::Answer answer) {
  parts_.metrics.answered(Clock::now() - call.began);
  logging::debug1("{} {} {} status={} user={}", call.request().client.text(), logging::told(call.request().method),
                  logging::told(call.request().path), answer.status, call.user.name);
  call.exchange->answer(std::move(answer));
}

void Api::refuse(const Call& call, const Refusal& no) {
  parts_.metrics.refused(no.code());
  node_api::Answer answer = refusal::answer(no);
  if (answer.status == 405) answer.headers.emplace_back("Allow", call.route->methods);
  this->answer(call, std::move(answer));
}

const Api::Route& Api::route_of(const std::string& path, std::string& id) {
  for (const auto& route : kRoutes) {
    if (path == route.path) return route;
  }
  if (path.starts_with(kLeasePath) && uuid::is_valid(path.substr(sizeof kLeasePath - 1))) {
    id = path.substr(sizeof kLeasePath - 1);
    return kRoutes[std::size(kRoutes) - 1];
  }
  throw Refusal("not_found", path.starts_with(kLeasePath) ? "There is no such lease."
                                                          : "There is no such resource; see /openapi.yaml.");
}

void Api::admit(const CallPointer& call) {
  const auto& request = call->request();
  if (!call->proxy().serves(request.client.ip, request.local.ip))
    throw Refusal("forbidden", "This proxy does not serve your network.");
  if (!request.fault.empty()) throw Refusal("bad_request", request.fault);
  call->route = &route_of(request.path, call->id);
  if (!offers(call->route->methods, request.method)) {
    throw Refusal("method_not_allowed", fmt::format("Only these methods are allowed here: {}.", call->route->methods));
  }
  if (call->is("OPTIONS")) return answer(*call, {204, {}, {}, {{"Allow", call->route->methods}}, {}});
  if (request.too_large)
    throw Refusal("payload_too_large", fmt::format("The body has more than {} bytes.", node_api::kMaxBody));
  login(call);
}

// Every refused login gets the same answer after the same time, whatever was wrong.
void Api::login(const CallPointer& call) {
  const bool near_metrics = std::string_view(call->route->path) == "/metrics" && is_loopback(call->request().client.ip);
  if (call->route->open || near_metrics || !call->proxy().authentication) return dispatch(call);
  const auto& header = call->request().authorization;
  if (!header) throw Refusal("unauthorized", "A name and a password are needed.");
  parts_.gate.check(*header, call->request().client.ip,
                    [this, call](Gate::Outcome outcome, const config::NodeUser& user) {
                      guarded(*call, [&] {
                        if (outcome == Gate::Outcome::refused || outcome == Gate::Outcome::throttled)
                          parts_.metrics.login_failed();
                        switch (outcome) {
                          case Gate::Outcome::accepted: call->user = user; return dispatch(call);
                          case Gate::Outcome::refused: throw Refusal("unauthorized", "Wrong name or password.");
                          case Gate::Outcome::throttled:
                            throw Refusal("busy", "Too many failed logins from your address; try again in a moment.");
                          case Gate::Outcome::busy: throw Refusal("busy", "Too many logins at once; try again.");
                          case Gate::Outcome::broken:
                            throw Refusal("internal", "The users of the node API cannot be read; the log says why.");
                        }
                      });
                    });
}

void Api::dispatch(const CallPointer& call) {
  const std::string_view path = call->route->path;
  if (path == "/ping") return answer(*call, {200, "application/json", "{\"status\":\"ok\"}\n", {}, {}});
  if (path == "/openapi.yaml") return answer(*call, {200, "application/yaml", parts_.openapi, {}, {}});
  if (path == "/info")
    return answer(*call, {200, "application/json", api_json::info(call->proxy(), SALLYPORT_VERSION), {}, {}});
  if (path == "/metrics") return metrics(call);
  if (call->is("POST")) return open_lease(call);
  require_nothing(call->request().body);
  Record request;
  const bool one = !call->id.empty();
  request.add("request", !one ? "list" : call->is("PUT") ? "renew" : call->is("DELETE") ? "close" : "show");
  if (!call->user.name.empty()) request.add("user", call->user.name);
  if (one) request.add("lease", call->id);
  const bool nobody = call->user.name.empty();
  if (one)
    return ask(*call, request, nobody,
               call->is("PUT")      ? &Api::renewed
               : call->is("DELETE") ? &Api::closed
                                    : &Api::shown);
  if (lists_ >= kMaxLists) throw Refusal("busy", "Too many lists are being made; try again.");
  ask(*call, request, nobody, &Api::listed);
}

// --- a new lease --------------------------------------------------------------------

void Api::open_lease(const CallPointer& call) {
  if (!is_json(call->request().content_type))
    throw Refusal("unsupported_media_type", "Content-Type must be application/json.");
  const auto wanted = LeaseRequest::parse(call->request().body);
  if (wanted.client && *wanted.client != call->request().client.ip) {
    throw Refusal("other_address",
                  fmt::format("A lease is for the address that asks, which is {}.", call->request().client.ip.text()));
  }
  if (wanted.target.address) return open_at(*call, wanted, {*wanted.target.address});
  const bool asked =
      parts_.resolver.resolve(wanted.destination, [this, call, wanted](const std::vector<IpAddress>& addresses) {
        guarded(*call, [&] { open_at(*call, wanted, addresses); });
      });
  if (!asked) throw Refusal("busy", "Too many names are being looked up; try again.");
}

// The first permitted address; if there is none, the reason why the first is refused.
IpAddress Api::choose(const Call& call, const LeaseRequest& wanted, const std::vector<IpAddress>& addresses) {
  const config::destination::Policy policy(*call.config, surroundings());
  config::destination::Judgement no;
  for (const auto& address : addresses) {
    if (address.is_v4() != call.request().client.ip.is_v4()) continue;
    const auto judged =
        config::destination::judge(policy, {wanted.target.name, address, wanted.ssh_port, wanted.udp_ports});
    if (judged.verdict != config::destination::Verdict::refused) return address;
    if (no.reason.empty()) no = judged;
  }
  if (!no.reason.empty()) {
    logging::event("Refused a lease to user={} client={}: {}", call.user.name, call.request().client.ip.text(),
                   logging::escape(no.detail));
    throw Refusal("destination_denied", no.reason);
  }
  const char* family = call.request().client.ip.family_name();
  if (wanted.target.address)
    throw Refusal("unresolvable", fmt::format("You connected by {0}, and that is not an {0} address.", family));
  throw Refusal("unresolvable", fmt::format("{} has no {} address that could be found.", wanted.destination, family));
}

void Api::open_at(const Call& call, const LeaseRequest& wanted, const std::vector<IpAddress>& addresses) {
  Record request;
  request.add("request", "open");
  if (!call.user.name.empty()) request.add("user", call.user.name);
  request.add("destination", wanted.destination);
  request.add("address", choose(call, wanted, addresses).text());
  request.add("ssh_port", std::to_string(wanted.ssh_port));
  request.add("udp_ports", wanted.udp_ports.text());
  ask(call, request, true, &Api::opened);
}

// --- asp-lease ------------------------------------------------------------------------

void Api::ask(const Call& call, Record request, bool with_connection, Answered answered) {
  const bool list = request.require("request") == "list";
  const auto kept = std::make_shared<const Call>(call);
  if (list) ++lists_;
  const bool asked = parts_.link.ask(request, with_connection ? copy_of(call.request().socket) : Fd(),
                                     [this, kept, answered, list](const std::vector<Record>& packets) {
                                       if (list) --lists_;
                                       guarded(*kept, [&] {
                                         if (packets.empty())
                                           throw Refusal("busy", "The proxy is not ready; try again.");
                                         const Record& last = packets.back();
                                         if (last.require("answer") == "refused")
                                           throw Refusal(last.require("code"), last.require("reason"));
                                         (this->*answered)(*kept, packets);
                                       });
                                     });
  if (asked) return;
  if (list) --lists_;
  throw Refusal("busy", "Too many requests wait; try again.");
}

void Api::opened(const Call& call, const std::vector<Record>& packets) {
  const lease::Lease lease = api_json::lease_of(packets.back());
  parts_.metrics.opened();
  answer(call, {201,
                "application/json",
                api_json::lease(lease),
                {{"Location", kLeasePath + lease.id}},
                [this, call, id = lease.id] { give_back(call, id); }});
}

// Closes a lease that nobody knows of. Without a user, only the client's own address could close it: such a
// lease ends by its time.
void Api::give_back(const Call& call, const std::string& id) {
  if (call.user.name.empty()) return;
  Record request;
  request.add("request", "close");
  request.add("user", call.user.name);
  request.add("lease", id);
  parts_.link.ask(request, Fd(), [this](const std::vector<Record>& packets) {
    if (!packets.empty() && packets.back().get("answer") != "refused") parts_.metrics.closed(1);
  });
}

void Api::shown(const Call& call, const std::vector<Record>& packets) {
  answer(call, {200, "application/json", api_json::lease(api_json::lease_of(packets.back())), {}, {}});
}

void Api::renewed(const Call& call, const std::vector<Record>& packets) {
  parts_.metrics.renewed();
  shown(call, packets);
}

void Api::closed(const Call& call, const std::vector<Record>&) {
  parts_.metrics.closed(1);
  answer(call, {204, {}, {}, {}, {}});
}

void Api::listed(const Call& call, const std::vector<Record>& packets) {
  std::vector<lease::Lease> leases;
  for (const auto& packet : packets) {
    if (packet.require("answer") == "lease") leases.push_back(api_json::lease_of(packet));
  }
  answer(call, {200, "application/json", api_json::leases(leases), {}, {}});
}

// --- regular work ------------------------------------------------------------------------

void Api::metrics(const CallPointer& call) {
  if (!is_loopback(call->request().client.ip) && !call->user.is_admin()) {
    throw Refusal("forbidden", "Metrics are for users with the ACL admin, and for the proxy itself.");
  }
  const auto tell = [this, call](const std::vector<Record>& packets) {
    guarded(*call, [&] {
      const std::string leases = packets.empty() ? "" : packets.back().get("leases").value_or("");
      const std::string text = parts_.metrics.text({leases, connections_(), parts_.link.restarts(), SALLYPORT_VERSION});
      answer(*call, {200, "text/plain; version=0.0.4", text, {}, {}});
    });
  };
  Record request;
  request.add("request", "count");
  if (!parts_.link.ask(request, Fd(), tell)) tell({});
}

void Api::start_sweeping() { sweep_later(); }

void Api::sweep_later() {
  const auto interval = parts_.config.config()->proxy.cleanup_interval;
  const bool wanted = interval.count() > 0;
  parts_.timer.after(wanted ? interval : std::chrono::seconds(60), [this, wanted] {
    if (wanted) sweep();
    sweep_later();
  });
}

void Api::sweep() {
  if (sweeping_.exchange(true)) return;  // the previous sweep is not done yet
  Record request;
  request.add("request", "sweep");
  const bool asked = parts_.link.ask(request, Fd(), [this](const std::vector<Record>& packets) {
    sweeping_ = false;
    if (packets.empty()) return;
    if (const auto count = parse_decimal(packets.back().get("count").value_or(""), 0, 1000000))
      parts_.metrics.closed(static_cast<std::uint64_t>(*count));
  });
  if (!asked) sweeping_ = false;
}
}  // namespace asperanoded
