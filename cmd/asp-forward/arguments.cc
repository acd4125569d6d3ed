#include "arguments.h"

#include <getopt.h>
#include <unistd.h>

#include <optional>

#include <fmt/core.h>

#include "base/decimal.h"
#include "base/env.h"
#include "base/failure.h"
#include "base/options.h"
#include "base/uuid.h"
#include "lease/lease.h"
#include "words.h"

namespace forward {
namespace {

constexpr option kOptions[] = {{"proxy", required_argument, nullptr, 'p'},
                               {"to", required_argument, nullptr, 't'},
                               {"ssh-port", required_argument, nullptr, 's'},
                               {"udp-port", required_argument, nullptr, 'u'},
                               {"password-file", required_argument, nullptr, 'f'},
                               {"ca", required_argument, nullptr, 'c'},
                               {"fingerprint", required_argument, nullptr, 'k'},
                               {"timeout", required_argument, nullptr, 'o'},
                               {"print", no_argument, nullptr, 'P'},
                               {"json", no_argument, nullptr, 'j'},
                               {"renew", required_argument, nullptr, 'r'},
                               {"release", required_argument, nullptr, 'e'},
                               {nullptr, 0, nullptr, 0}};

[[noreturn]] void wrong(const std::string& why) { options::fail_usage(kUsage, why); }

long number(const Options& options, char letter, const char* name, long otherwise, long low, long high) {
  if (!options.has(letter)) return otherwise;
  const auto text = options.get(letter, "");
  const auto value = parse_decimal(text, low, high);
  if (!value) wrong(fmt::format("{} {}: not a number from {} to {}", name, text, low, high));
  return *value;
}

Mode mode_of(const Options& options) {
  std::optional<Mode> mode;
  const auto is = [&](bool given, Mode one) {
    if (given && mode) wrong("one of a command, -W, --print, --renew and --release can be given");
    if (given) mode = one;
  };
  is(options.has('W'), Mode::pass_through);
  is(options.has('P'), Mode::print);
  is(options.has('r'), Mode::renew);
  is(options.has('e'), Mode::release);
  is(!options.operands.empty(), Mode::run);
  if (!mode) wrong("no command is given");
  return *mode;
}

ProxyUrl proxy_of(const Options& options) {
  if (options.has('p')) return ProxyUrl::parse(options.get('p', ""));
  if (const auto url = env::get("ASPERA_PROXY")) return ProxyUrl::parse(*url);
  wrong("--proxy is needed");
}

node_client::Trust trust_of(const Options& options) {
  node_client::Trust trust;
  if (options.has('c') && options.has('k')) wrong("--ca and --fingerprint together");
  if (options.has('k')) {
    const auto fingerprint = node_client::parse_fingerprint(options.get('k', ""));
    if (!fingerprint) wrong("--fingerprint: expected the 64 hex digits of a SHA-256, with or without colons");
    trust.fingerprint = *fingerprint;
  }
  trust.ca_file = options.get('c', "");
  if (options.has('c') && ::access(trust.ca_file.c_str(), R_OK) != 0)
    tool::fail_errno(tool::config, "open " + trust.ca_file);
  return trust;
}

Wanted wanted_of(const Options& options) {
  Wanted wanted;
  if (!options.has('t')) wrong("--to is needed");
  const auto host = HostPort::parse(options.get('t', ""));
  if (!host) wrong(fmt::format("--to {}: not a host", options.get('t', "")));
  if (host->host == "localhost" || host->host.ends_with(".localhost"))
    wrong(fmt::format("--to {}: for the proxy that is the proxy itself, which leases never lead to", host->host));
  if (host->port != 0) wrong(fmt::format("--to {}: its port is given with --ssh-port", options.get('t', "")));
  wanted.destination = host->host;
  wanted.ssh_port = static_cast<Port>(number(options, 's', "--ssh-port", wanted.ssh_port, 1, 65535));
  if (options.has('u')) {
    const auto range = PortRange::parse(options.get('u', ""));
    if (!range || range->high - range->low >= lease::kMaxUdpPorts) {
      wrong(fmt::format("--udp-port {}: not a port, or LOW:HIGH of at most {}", options.get('u', ""),
                        lease::kMaxUdpPorts));
    }
    wanted.udp_ports = *range;
  }
  return wanted;
}

}  // namespace

Asked Asked::parse(int argc, char** argv) {
  const auto options = options::parse(argc, argv, "Wq", kOptions, kUsage);
  for (int i = 1; i < argc - static_cast<int>(options.operands.size()); ++i) hide_password(argv[i]);
  Asked asked;
  asked.mode = mode_of(options);
  asked.proxy = proxy_of(options);
  asked.trust = trust_of(options);
  if (!asked.proxy.tls && (options.has('c') || options.has('k')))
    wrong("--ca and --fingerprint are for dnats://; dnat:// has no certificate");
  asked.password_file = options.get('f', "");
  if (asked.proxy.user.empty() && options.has('f')) wrong("--password-file: the URL names no user");
  asked.patience = std::chrono::seconds(number(options, 'o', "--timeout", asked.patience.count(), 1, 300));
  asked.json = options.has('j');
  asked.quiet = options.has('q');
  if (asked.json && asked.mode != Mode::print && asked.mode != Mode::renew) wrong("--json is for --print and --renew");
  if (asked.mode == Mode::renew || asked.mode == Mode::release) {
    if (options.has('t') || options.has('s') || options.has('u'))
      wrong("a lease has its destination already: --renew and --release take none");
    asked.lease = options.get(asked.mode == Mode::renew ? 'r' : 'e', "");
    if (!uuid::is_valid(asked.lease)) wrong(fmt::format("{}: not the UUID of a lease", asked.lease));
    return asked;
  }
  asked.wanted = wanted_of(options);
  if (asked.mode == Mode::run) {
    asked.words = options.operands;
    check_words({asked.words.begin() + 1, asked.words.end()});  // the first is the program, which is used as it is
    asked.program = find_program(asked.words[0]);
  }
  return asked;
}

}  // namespace forward
