// asp-forward: lease a way through the forward proxy, and use it; asp-forward(1).
#include <unistd.h>

#include <string>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "api.h"
#include "arguments.h"
#include "base/io.h"
#include "base/record.h"
#include "base/signals.h"
#include "base/tool.h"
#include "held_lease.h"
#include "known_proxies.h"
#include "pass_through.h"
#include "password.h"
#include "run.h"
#include "stranger.h"
#include "words.h"

namespace {

using namespace forward;

// The destination's name in known_hosts: ssh finds the destination's key behind the leased port.
std::string host_key_alias(const Wanted& wanted) {
  return HostPort{wanted.destination, wanted.ssh_port}.known_hosts_text();
}

std::string udp_text(const PortRange& ports) {
  return ports.low == ports.high ? std::to_string(ports.low) : ports.text();
}

std::string lease_text(const Leased& leased, bool as_json) {
  if (as_json) {
    nlohmann::ordered_json json{{"lease", leased.id}, {"host", leased.host.text()}, {"ssh_port", leased.ssh_port}};
    if (leased.udp_ports.low == leased.udp_ports.high) json["udp_port"] = leased.udp_ports.low;
    else json["udp_port"] = leased.udp_ports.text();
    json["renew_seconds"] = leased.renew_seconds.count();
    json["expires"] = leased.expires.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(leased.expires);
    return json.dump() + "\n";
  }
  Record record;
  record.add("lease", leased.id);
  record.add("host", leased.host.text());
  record.add("ssh_port", std::to_string(leased.ssh_port));
  record.add("udp_port", udp_text(leased.udp_ports));
  record.add("renew_seconds", std::to_string(leased.renew_seconds.count()));
  record.add("expires", leased.expires);
  std::string text = record.text();
  text.pop_back();  // the empty line that separates records: there is only one
  return text;
}

int print(const Asked& asked, Api& api, Signals& signals) {
  HeldLease held(api, asked.wanted);
  if (const auto caught = signals.take()) signals::end_by(caught->number);
  const Leased& leased = held.leased();
  io::write_all(STDOUT_FILENO, lease_text(leased, asked.json));
  held.keep();
  if (asked.quiet) return tool::yes;
  const auto seconds = leased.renew_seconds.count();
  const auto when =
      seconds > 0 ? fmt::format("every {} s (--renew {})", seconds, leased.id) : "not at all, while it is used";
  say(fmt::format("to be renewed {}; give it back with --release {}", when, leased.id));
  return tool::yes;
}

int run_command(const Asked& asked, Api& api, Signals& signals) {
  HeldLease held(api, asked.wanted);
  child::Program program{{asked.program}, environment(host_key_alias(asked.wanted)), {}};
  program.ignored = signals.ignored();
  for (std::size_t i = 1; i < asked.words.size(); ++i) {
    program.argv.push_back(substitute(asked.words[i], {held.leased(), asked.wanted.destination}));
  }
  return forward::run(program, held, signals);
}

int pass_through(const Asked& asked, Api& api, Signals& signals) {
  HeldLease held(api, asked.wanted);
  return PassThrough({held.leased().host, held.leased().ssh_port}, asked.patience, held, signals).run();
}

int forget(const HostPort& proxy) {
  if (known_proxies::forget(proxy)) return tool::yes;
  say(fmt::format("{} is not in {}", proxy.text(), known_proxies::path()));
  return tool::no;
}

int serve(const Asked& asked, Api& api, Signals& signals) {
  switch (asked.mode) {
    case Mode::run: return run_command(asked, api, signals);
    case Mode::pass_through: return pass_through(asked, api, signals);
    case Mode::print: return print(asked, api, signals);
    case Mode::renew: io::write_all(STDOUT_FILENO, lease_text(api.renew(asked.lease), asked.json)); return tool::yes;
    case Mode::release: api.close(asked.lease); return tool::yes;
    case Mode::forget: break;
  }
  return tool::internal;
}

int run(int argc, char** argv) {
  const auto asked = Asked::parse(argc, argv);
  if (asked.mode == Mode::forget) return forget(asked.forgotten);
  Signals signals({SIGHUP, SIGINT, SIGQUIT, SIGTERM}, Signals::Ignored::left);
  node_client::Server server{asked.proxy.tls, asked.proxy.host, asked.proxy.user, ""};
  if (!asked.proxy.tls && !asked.quiet) {
    say(fmt::format("dnat:// is not encrypted: {} can be read on the way; use dnats://",
                    asked.proxy.user.empty() ? "the request" : "the password"));
  }
  if (!server.user.empty()) server.password = find_password(asked.password_file, asked.proxy, signals);
  Api api(std::move(server), asked.trust, asked.patience, signals);
  const HostPort& proxy = asked.proxy.host;
  if (asked.may_ask)
    api.on_strange([&](const std::string& shown) { return stranger::accepted(proxy, shown, signals); });
  try {
    return serve(asked, api, signals);
  } catch (const tool::Failure& failure) {
    if (failure.code() == tool::untrusted && asked.remembered) stranger::explain_changed(proxy, failure);
    throw;
  }
}

}  // namespace

int main(int argc, char** argv) {
  return tool::guard("asp-forward", forward::kUsage, run, argc, argv, tool::Audience::operators);
}
