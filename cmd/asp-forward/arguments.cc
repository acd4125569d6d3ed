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
#include "known_proxies.h"
#include "lease/lease.h"
#include "settings.h"
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
                               {"forget", required_argument, nullptr, 'F'},
                               {nullptr, 0, nullptr, 0}};

[[noreturn]] void wrong(const std::string& why) { options::fail_usage(kUsage, why); }

long number(const std::string& text, const char* name, long otherwise, long low, long high) {
  if (text.empty()) return otherwise;
  const auto value = parse_decimal(text, low, high);
  if (!value) wrong(fmt::format("{} {}: not a number from {} to {}", name, text, low, high));
  return *value;
}

Mode mode_of(const Options& options) {
  std::optional<Mode> mode;
  const auto is = [&](bool given, Mode one) {
    if (given && mode) wrong("one of a command, -W, --print, --renew, --release and --forget can be given");
    if (given) mode = one;
  };
  is(options.has('W'), Mode::pass_through);
  is(options.has('P'), Mode::print);
  is(options.has('r'), Mode::renew);
  is(options.has('e'), Mode::release);
  is(options.has('F'), Mode::forget);
  is(!options.operands.empty(), Mode::run);
  if (!mode) wrong("no command is given");
  return *mode;
}

ProxyUrl proxy_of(const Options& options, const Settings& settings) {
  if (options.has('p')) return ProxyUrl::parse(options.get('p', ""));
  if (const auto url = env::get("ASPERA_PROXY")) return ProxyUrl::parse(*url);
  if (settings.proxy) return *settings.proxy;
  wrong("--proxy is needed, or proxy= in ~/.asp-forward/settings or /etc/asp-forward.conf");
}

// An option, and where it is not given, a setting.
void take_trust(Asked& asked, const Options& options, const Settings& settings) {
  if (options.has('c') && options.has('k')) wrong("--ca and --fingerprint cannot be combined");
  if (!asked.proxy.tls) {
    if (options.has('c') || options.has('k'))
      wrong("--ca and --fingerprint are for dnats://; dnat:// has no certificate");
    return;
  }
  node_client::Trust& trust = asked.trust;
  if (options.has('k')) {
    const auto fingerprint = node_client::parse_fingerprint(options.get('k', ""));
    if (!fingerprint) wrong("--fingerprint: expected the 64 hex digits of a SHA-256, with or without colons");
    trust.fingerprint = *fingerprint;
  } else if (!options.has('c')) {
    trust.fingerprint = settings.fingerprint;
  }
  if (trust.fingerprint.empty()) trust.ca_file = options.get('c', settings.ca);
  if (!trust.ca_file.empty() && ::access(trust.ca_file.c_str(), R_OK) != 0)
    tool::fail_errno(tool::config, "open " + trust.ca_file);
  if (!trust.fingerprint.empty() || !trust.ca_file.empty()) return;
  trust.fingerprint = known_proxies::recall(asked.proxy.host).value_or("");
  asked.remembered = !trust.fingerprint.empty();
  asked.may_ask = trust.fingerprint.empty();
}

HostPort proxy_to_forget(const std::string& text) {
  auto proxy = HostPort::parse(text);
  if (!proxy) wrong(fmt::format("--forget {}: not a host, nor host:port", text));
  if (proxy->port == 0) proxy->port = kHttpsPort;
  return *proxy;
}

Wanted wanted_of(const Options& options, const Settings& settings) {
  Wanted wanted;
  if (!options.has('t')) wrong("--to is needed");
  const auto host = HostPort::parse(options.get('t', ""));
  if (!host) wrong(fmt::format("--to {}: not a host", options.get('t', "")));
  if (host->host == "localhost" || host->host.ends_with(".localhost"))
    throw tool::Failure(tool::usage, fmt::format("--to {}: to the proxy, that name means the proxy itself, and no "
                                                 "lease leads there; a server on this machine needs no proxy",
                                                 host->host));
  if (host->port != 0) wrong(fmt::format("--to {}: its port is given with --ssh-port", options.get('t', "")));
  wanted.destination = host->host;
  wanted.ssh_port =
      static_cast<Port>(number(options.get('s', settings.ssh_port), "--ssh-port", wanted.ssh_port, 1, 65535));
  if (const auto ports = options.get('u', settings.udp_port); !ports.empty()) {
    const auto range = PortRange::parse(ports);
    if (!range || range->high - range->low >= lease::kMaxUdpPorts) {
      wrong(fmt::format("--udp-port {}: not a port, or LOW:HIGH of at most {}", ports, lease::kMaxUdpPorts));
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
  if (asked.mode == Mode::forget) {
    asked.forgotten = proxy_to_forget(options.get('F', ""));
    return asked;
  }
  Settings settings = Settings::load();
  asked.proxy = proxy_of(options, settings);
  settings.keep_for(asked.proxy);
  if (asked.proxy.user.empty()) asked.proxy.user = settings.user;
  take_trust(asked, options, settings);
  if (asked.proxy.user.empty() && options.has('f')) wrong("--password-file: the URL names no user");
  asked.password_file = options.get('f', asked.proxy.password ? "" : settings.password_file);
  asked.patience =
      std::chrono::seconds(number(options.get('o', settings.timeout), "--timeout", asked.patience.count(), 1, 300));
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
  asked.wanted = wanted_of(options, settings);
  if (asked.mode == Mode::run) {
    asked.words = options.operands;
    check_words({asked.words.begin() + 1, asked.words.end()});  // the first is the program, which is used as it is
    asked.program = find_program(asked.words[0]);
  }
  return asked;
}

}  // namespace forward
