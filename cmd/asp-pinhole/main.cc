// asp-pinhole: holds one pinhole open while stdin is open; asp-pinhole(8).
//
// It changes the firewall for users, as root. It takes no arguments and believes nobody: sudo tells
// who calls, the kernel tells from where, and aspera.conf, read here once more, tells what that user
// may have.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <utility>

#include <fmt/core.h>

#include "base/accounts.h"
#include "base/confine.h"
#include "base/confine_phases.h"
#include "base/logging.h"
#include "base/paths.h"
#include "base/privilege.h"
#include "base/status.h"
#include "base/tool.h"
#include "base/wall_clock.h"
#include "config/config.h"
#include "config/log_place.h"
#include "lifeline.h"
#include "pinhole.h"
#include "report.h"
#include "session/request.h"
#include "session/rules.h"
#include "session/session.h"
#include "session/spool.h"
#include "session/trial.h"
#include "sightings.h"
#include "who/caller.h"

namespace {

constexpr std::chrono::seconds kRecordTime{10};

[[noreturn]] void refuse(const std::string& why) { throw tool::Failure(tool::not_permitted, why); }

// The first record, without udp=false: a session that asks for a pinhole uses UDP.
session::Asked parse_asked(const Record& record) {
  session::Asked asked = session::Asked::from_record(record);
  record.check_names({"session", "user", "client", "proxy", "domain", "command"});
  return asked;
}

session::Route route_for(const config::Rproxy& rproxy, const session::Request& request) {
  const auto route = session::rules::first_match(rproxy, request, {accounts::groups_of, {}});
  if (!route) {
    refuse(fmt::format("no rule of aspera.conf matches {} at {}{}", request.user, request.proxy.text(),
                       session::rules::hint(rproxy, request)));
  }
  return *route;
}

Limits limits_for(const config::Rproxy& rproxy, const session::Route& route) {
  const auto& rule = rproxy.rules.at(static_cast<std::size_t>(route.rule) - 1);
  return {rproxy.max_sessions, rule.max_sessions, rproxy.max_sessions_of_user(), rproxy.iptables_sessions,
          rule.udp_linger_limit};
}

// Where the host of that name was found: root's asp-upstream of this session has noted it, once the host key
// there was the enrolled one. A look-up of our own might be answered with another of its addresses.
std::string noted_address(const caller::Caller& caller, const session::Asked& asked, const HostPort& host) {
  const auto note = session::spool::note(session::spool::kDialers, caller.process.token());
  const Record connected = note ? record::parse_one(*note) : Record();
  if (connected.get("session") != asked.session || connected.get("host") != host.text())
    refuse(fmt::format("asp-upstream of this session is not connected to {}", host.text()));
  return connected.get("address").value_or("");
}

// The second record: host=, one of the route's, and address=, where asp-upstream found it.
Endpoint chosen_host(const Record& record, const session::Route& route, const caller::Caller& caller,
                     const session::Asked& asked) {
  record.check_names({"host", "address"});
  const std::string chosen = record.require("host");
  const auto host = HostPort::parse(chosen);
  if (!host || std::find(route.hosts.begin(), route.hosts.end(), *host) == route.hosts.end()) {
    refuse(fmt::format("rule {} does not lead to {}", route.rule, chosen));
  }
  const auto address = Endpoint::require(record.require("address"), "address");
  const bool named = !IpAddress::parse(host->host);
  if (address.text() != (named ? noted_address(caller, asked, *host) : host->text()))
    refuse(fmt::format("{} is not {}", address.text(), chosen));
  return address;
}

session::Session session_of(const session::Asked& asked, const caller::Caller& caller, const session::Route& route,
                            const Endpoint& host) {
  session::Session session;
  session.id = asked.session;
  session.user = caller.user;
  session.client = asked.request.client;
  session.proxy = asked.request.proxy;
  session.host = host;
  session.route = route;
  session.pid = caller.process.pid;
  session.holder = ::getpid();
  session.started = wall_clock::now();
  return session::Session::from_record(session.to_record());  // runs all checks of a record
}

// The doctor's question, which takes the place of a request.
int answer_doctor(Life& life) {
  const auto record = life.next_record(kRecordTime);
  if (!record) return tool::yes;
  if (!session::trial::is_question(*record)) refuse("asperaproxy has no session");
  report::line(session::trial::answer());
  return tool::yes;
}

// The time for the second record: all servers may have to be tried.
std::chrono::seconds dialing_time(const session::Route& route) {
  constexpr std::chrono::seconds kMore{45};  // handshake, and what asp-upstream allows beyond that
  return kRecordTime + static_cast<int>(route.hosts.size()) * (route.connect_timeout + kMore);
}

// The session ended before its pinhole was open. Whoever closed stdin knows.
int ended_early(const Life& life) {
  if (life.reason() != "EOF") report::line(status::Line{"closed", {}}.with("reason", life.reason()));
  return tool::yes;
}

// What the log is to say of whom.
struct Client {
  std::string identity;  // of a request whose caller is verified
  bool served = false;   // the pinhole was open
  // Until the rule is found, asp-upstream meets the same for that session, and tells of it.
  bool told_by_upstream = false;
  bool told = false;
};

// Tells the log and the conductor of a failure, once.
void tell(Client& client, const tool::Failure& failure) {
  if (std::exchange(client.told, true)) return;
  config::log_place::follow();
  const char* sudo_user = std::getenv("SUDO_USER");
  if (!client.told_by_upstream && !failure.logged())
    logging::error("{} {}: {}{} (exit {})", client.served ? "Lost the pinhole of" : "Refused a pinhole to",
                   logging::escape(sudo_user ? sudo_user : "?"), logging::told(failure.what()), client.identity,
                   static_cast<int>(failure.code()));
  status::Line line = status::failed(failure.as_logged(!client.told_by_upstream));
  line.event = "refused";
  report::line(line);
}

// A failure is told before the pinhole is revoked, since revoking may take long.
bool open(Pinhole& pinhole, Client& client) {
  try {
    return pinhole.open();
  } catch (const tool::Failure& failure) {
    tell(client, failure);
    throw;
  }
}

// All that the kernel can tell about the caller comes before anything is read, so that nobody has more helpers
// than sessions of sshd.
int serve(Client& client) {
  const uid_t uid = privilege::sudo_uid();
  logging::set_user(uid);
  caller::require_own_descriptors(uid);
  session::spool::prepare();
  Life life;
  if (caller::is_doctor()) return answer_doctor(life);
  caller::Caller caller = caller::find(uid);
  const auto only = session::spool::Token::take(session::spool::kCallers, caller.process.token());
  if (!only) refuse("this session has a pinhole already");
  life.depend_on(caller);
  const auto first = life.next_record(kRecordTime);
  if (!first) return tool::yes;
  const session::Asked asked = parse_asked(*first);
  caller::verify(caller, asked.request.client, asked.request.proxy);
  life.keep_vigil();
  if (asked.request.user != caller.user) refuse(fmt::format("{} asks for {}", caller.user, asked.request.user));
  client.identity = " " + asked.identity();
  client.told_by_upstream = true;
  session::spool::check_admission();
  const auto rproxy = config::load(paths::kConfig, config::Author::root).rproxy;
  config::log_place::follow(rproxy);
  logging::set_context("session=" + asked.session);
  const session::Route route = route_for(rproxy, asked.request);
  logging::debug1("Verified {} from {} at {}: rule {}", caller.user, asked.request.client.text(),
                  asked.request.proxy.text(), route.rule);
  confine::keep_capabilities(confine::kVerifiedPinhole);
  confine::forbid_dangerous();
  client.told_by_upstream = false;
  report::line(status::Line{"verified", {}}.with("rule", std::to_string(route.rule)));
  auto sightings = std::make_unique<Sightings>(asked.request.client.ip);

  const auto second = life.next_record(dialing_time(route));
  if (!second) return ended_early(life);
  const Endpoint host = chosen_host(*second, route, caller, asked);
  Pinhole pinhole(session_of(asked, caller, route, host),
                  asked.identity() + " " + route.identity(second->require("host")), limits_for(rproxy, route), life,
                  std::move(sightings));
  if (!open(pinhole, client)) {
    while (!life.ended()) life.wait(-1, Deadline::never());  // for the reason
    return ended_early(life);
  }
  client.served = true;
  pinhole.hold();
  if (life.deserted()) logging::error("Closes the pinhole of session={}: {}", asked.session, life.reason());
  return tool::yes;  // the pinhole revokes itself
}

int run(int argc, char**) {
  privilege::leave_limits();
  privilege::keep_only({"SUDO_UID", "SUDO_USER"});
  privilege::ignore_terminal();
  privilege::own_session();
  Client client;
  try {
    if (argc != 1) throw tool::Failure(tool::usage, "asp-pinhole takes no arguments");
    return serve(client);
  } catch (const tool::Failure& failure) {
    tell(client, failure);
    return failure.code();
  }
}

}  // namespace

int main(int argc, char** argv) {
  return tool::guard("asp-pinhole", "asp-pinhole", run, argc, argv, tool::Audience::operators);
}
