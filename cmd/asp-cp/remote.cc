#include "remote.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <string_view>

#include <fmt/core.h>

#include "base/await.h"
#include "base/cut.h"
#include "base/env.h"
#include "base/failure.h"
#include "base/logging.h"

namespace asp_cp {
namespace {

constexpr char kSsh[] = "/usr/bin/ssh";
constexpr std::size_t kMaxLine = 4096;

std::vector<std::string> environment() {
  return env::allow({"HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "LC_ALL", "LC_CTYPE", "DISPLAY",
                     "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "SSH_AUTH_SOCK", "SSH_ASKPASS",
                     "SSH_ASKPASS_REQUIRE", "KRB5CCNAME"});
}

// Through a forward proxy we connect to the proxy's address, but the destination proves its identity:
// asp-forward(1) tells the name to look up.
void add_host_key_alias(std::vector<std::string>& argv) {
  const char* const name = std::getenv("ASP_CP_HOST_KEY_ALIAS");
  if (!name) return;
  const auto host = HostPort::parse_known_hosts(name);
  if (!host)
    throw tool::Failure(tool::config, fmt::format("ASP_CP_HOST_KEY_ALIAS: '{}' is not a host, nor [host]:port", name));
  argv.insert(argv.end(), {"-o", "HostKeyAlias=" + host->known_hosts_text()});
}

// ssh's options for the destination, ending with the host.
void add_destination(std::vector<std::string>& argv, const Command& command) {
  const auto add = [&argv](const std::string& option, const std::string& value) {
    if (!value.empty()) argv.insert(argv.end(), {option, value});
  };
  add("-F", command.ssh_config);
  add("-i", command.key);
  add("-p", command.ssh_port ? std::to_string(*command.ssh_port) : "");
  add("-l", command.far.user);
  argv.insert(argv.end(), {"--", command.far.host});
}

// Matches ssh's own messages, which are not translated.
bool is_hopeless(std::string_view line) {
  constexpr std::string_view kHopelessWords[] = {"Permission denied",
                                                 "Host key verification failed",
                                                 "Name or service not known",
                                                 "Too many authentication failures",
                                                 "no matching ",
                                                 "Bad configuration option",
                                                 "No such identity"};
  return std::any_of(std::begin(kHopelessWords), std::end(kHopelessWords),
                     [&](std::string_view words) { return line.find(words) != line.npos; });
}

}  // namespace

Remote::Remote(const Command& command, const std::vector<std::string>& program, const std::vector<std::string>& options)
    : lines_(kMaxLine) {
  // A dead connection is noticed within 12 s.
  child::Program ssh{{kSsh, "-T", "-x", "-o", "ServerAliveInterval=4", "-o", "ServerAliveCountMax=2", "-o",
                      "ClearAllForwardings=yes", "-o", "RemoteCommand=none"},
                     environment(),
                     {}};
  ssh.argv.insert(ssh.argv.end(), options.begin(), options.end());
  add_host_key_alias(ssh.argv);
  add_destination(ssh.argv, command);
  ssh.argv.insert(ssh.argv.end(), program.begin(), program.end());
  auto in = fd::pipe();
  auto out = fd::pipe();
  auto err = fd::pipe();
  ssh.mapping = {{in.read.get(), 0}, {out.write.get(), 1}, {err.write.get(), 2}};
  ssh_ = child::spawn(ssh);
  to_ = std::move(in.write);
  from_ = std::move(out.read);
  errors_ = std::move(err.read);
}

bool Remote::show_messages(const std::function<void()>& before) {
  if (!errors_) return false;
  const auto show = [&](std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    hopeless_ = hopeless_ || is_hopeless(line);
    if (listener_ && !listener_(line)) return;
    before();
    fmt::print(stderr, "{}\n", logging::escape(line));
  };
  bool more = false;
  try {
    more = lines_.fill(errors_.get());
    while (const auto line = lines_.pop()) show(*line);
    if (!more) {
      if (const auto line = lines_.rest()) show(*line);
    }
  } catch (const tool::Failure&) {
    more = false;  // an endless line is not a message
  }
  if (!more) errors_.reset();
  return more;
}

int Remote::end(std::chrono::milliseconds patience) {
  const auto deadline = Deadline::in(patience);
  to_.reset();
  while (!deadline.over()) {
    await::On end(ssh_.pidfd()), errors(errors_.get());
    await::any(deadline, end, errors);
    if (errors) show_messages([] {});
    else if (end) return ssh_.wait();
  }
  ssh_.end();
  return 128 + 9;
}

Destination destination_of(const Command& command) {
  child::Program ssh{{kSsh, "-G"}, environment(), {}};
  add_host_key_alias(ssh.argv);
  add_destination(ssh.argv, command);
  const auto output = child::run(ssh, "", 256 * 1024, 10);
  Destination found;
  found.host = command.far.host;
  if (command.ssh_port) found.port = *command.ssh_port;
  if (output.status != 0) return found;
  for (const auto line : cut::lines(output.out)) {
    const auto blank = std::min(line.find(' '), line.size());
    std::string key(line.substr(0, blank));
    const std::string value(line.substr(std::min(blank + 1, line.size())));
    // `sshd -T` has its keywords in capitals since OpenSSH 10.6; ssh may follow.
    std::transform(key.begin(), key.end(), key.begin(), [](unsigned char c) { return std::tolower(c); });
    if (key == "hostname" && !value.empty()) found.host = value;
    if (key == "port") found.port = parse_port(value).value_or(found.port);
    if (key == "hostkeyalias" && value != "none") found.key_name = value;
    if ((key == "proxycommand" || key == "proxyjump") && value != "none") found.by_way = true;
  }
  return found;
}

}  // namespace asp_cp
