#include "session/request.h"

#include <vector>

#include <fmt/core.h>

#include "base/accounts.h"
#include "base/failure.h"
#include "base/logging.h"
#include "base/uuid.h"

namespace session {

Request Request::from_record(const Record& record) {
  record.check_names({"user", "client", "proxy", "domain", "command", "udp"});
  Request parsed;
  parsed.user = record.require("user");
  if (!accounts::is_name(parsed.user)) {
    throw tool::Failure(tool::bad_input, fmt::format("user: '{}' is not an account name", parsed.user));
  }
  parsed.client = Endpoint::require(record.require("client"), "client");
  parsed.proxy = Endpoint::require(record.require("proxy"), "proxy");
  if (parsed.client.ip.is_v4() != parsed.proxy.ip.is_v4()) {
    throw tool::Failure(tool::bad_input, "client and proxy mix IPv4 and IPv6");
  }
  parsed.command = record.get("command").value_or("");
  const std::string udp = record.get("udp").value_or("true");
  if (udp != "true" && udp != "false")
    throw tool::Failure(tool::bad_input, fmt::format("udp: '{}' is not true or false", udp));
  parsed.udp = udp == "true";
  if (const auto domain = record.get("domain")) {
    parsed.domain = HostPort::parse(*domain);
    if (!parsed.domain) {
      throw tool::Failure(tool::bad_input, fmt::format("domain: '{}' is not name or name:port", *domain));
    }
  }
  return parsed;
}

void Request::add_to(Record& record) const {
  record.add("user", user);
  record.add("client", client.text());
  record.add("proxy", proxy.text());
  if (domain) record.add("domain", domain->text());
  if (!command.empty()) record.add("command", command);
  if (!udp) record.add("udp", "false");
}

Asked Asked::from_record(const Record& record) {
  Asked asked;
  asked.session = record.require("session");
  if (!uuid::is_valid(asked.session)) throw tool::Failure(tool::bad_input, "session: not a UUID");
  record.check_names({"session", "user", "client", "proxy", "domain", "command", "udp"});
  Record rest;
  for (const auto& [name, value] : record.fields()) {
    if (name != "session") rest.add(name, value);
  }
  asked.request = Request::from_record(rest);
  return asked;
}

Record Asked::to_record() const {
  Record record;
  record.add("session", session);
  request.add_to(record);
  return record;
}

std::string Asked::identity() const {
  return fmt::format("session={} user={} client={} proxy={}{}", session, logging::field(request.user),
                     request.client.text(), request.proxy.text(),
                     request.domain ? " domain=" + request.domain->text() : "");
}

}  // namespace session

namespace session::request {

void read_ssh_connection(const std::string& value, Request& into) {
  std::vector<std::string> words(1);
  for (const char c : value) {
    if (c == ' ') words.emplace_back();
    else words.back() += c;
  }
  const auto endpoint = [&](std::size_t at) -> std::optional<Endpoint> {
    const auto ip = IpAddress::parse(words[at]);
    const auto port = parse_port(words[at + 1]);
    if (!ip || !port) return std::nullopt;
    return Endpoint{*ip, *port};
  };
  if (words.size() == 4) {
    const auto client = endpoint(0);
    const auto proxy = endpoint(2);
    if (client && proxy) {
      into.client = *client;
      into.proxy = *proxy;
      return;
    }
  }
  if (value.find('%') != value.npos) {
    throw tool::Failure(tool::not_permitted,
                        fmt::format("SSH_CONNECTION '{}' is of a link-local address, from which the kernel forwards "
                                    "nothing; let the client come from another one",
                                    value),
                        "This proxy serves no client that comes from a link-local address (fe80::).");
  }
  throw tool::Failure(tool::bad_input, fmt::format("SSH_CONNECTION '{}' is not 'address port address port'", value));
}

}  // namespace session::request
