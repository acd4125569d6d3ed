// asp-match: answers with the route for the request on stdin; asp-match(1).
#include <unistd.h>

#include <fmt/core.h>

#include "base/accounts.h"
#include "base/address.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/options.h"
#include "base/paths.h"
#include "base/record.h"
#include "base/tool.h"
#include "config/config.h"
#include "session/request.h"
#include "session/rules.h"

namespace {

constexpr char kUsage[] =
    "asp-match [-e] [-c aspera.conf] < request\n"
    "asp-match [-e] [-c aspera.conf] -u user -a proxy_address[:port] [-f client_address] [-d asked_name]";

Endpoint endpoint_of(const std::string& text, char letter, Port port) {
  if (const auto ip = IpAddress::parse(text)) return {*ip, port};
  if (const auto endpoint = Endpoint::parse(text)) return *endpoint;
  options::fail_usage(kUsage, fmt::format("-{} {}: not an address", letter, text));
}

// A client from elsewhere, if nobody says from where: rules do not ask, but for its family.
session::Request request_of(const Options& options) {
  constexpr Port kSshPort = 33001;
  if (!options.has('u') || !options.has('a')) options::fail_usage(kUsage, "-u and -a belong together");
  session::Request request;
  request.user = options.get('u', "");
  if (!accounts::is_name(request.user)) options::fail_usage(kUsage, "-u " + request.user + ": not a name");
  request.proxy = endpoint_of(options.get('a', ""), 'a', kSshPort);
  const char* const elsewhere = request.proxy.ip.is_v4() ? "192.0.2.1" : "2001:db8::1";
  request.client = endpoint_of(options.get('f', elsewhere), 'f', 1);
  if (request.client.ip.family() != request.proxy.ip.family())
    options::fail_usage(kUsage, "-f and -a are of different families");
  if (options.has('d')) {
    request.domain = HostPort::parse(options.get('d', ""));
    if (!request.domain) options::fail_usage(kUsage, "-d " + options.get('d', "") + ": not a name");
  }
  return request;
}

session::Request asked(const Options& options) {
  if (options.has('u') || options.has('a') || options.has('f') || options.has('d')) return request_of(options);
  if (::isatty(STDIN_FILENO) != 0) options::fail_usage(kUsage, "a request is needed: on stdin, or by -u and -a");
  return session::Request::from_record(record::read_one(STDIN_FILENO));
}

int run(int argc, char** argv) {
  const auto options = options::parse(argc, argv, "a:c:d:ef:u:", kUsage);
  if (!options.operands.empty()) options::fail_usage(kUsage, "no operands are taken");
  const auto config = config::load(options.get('c', paths::kConfig));
  const auto request = asked(options);

  session::rules::Facts facts;
  facts.groups_of = accounts::groups_of;
  if (options.has('e')) {
    facts.explain = [](const std::string& line) { fmt::print(stderr, "{}\n", logging::escape(line)); };
  }
  const auto route = session::rules::first_match(config.rproxy, request, facts);
  if (!route) return tool::no;
  io::write_all(STDOUT_FILENO, route->to_record().text());
  return tool::yes;
}

}  // namespace

int main(int argc, char** argv) { return tool::guard("asp-match", kUsage, run, argc, argv, tool::Audience::operators); }
