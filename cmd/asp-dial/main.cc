// asp-dial: runs a command on an internal server over SSH, as if it were here.
#include <fcntl.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "base/confine.h"
#include "base/confine_phases.h"
#include "base/env.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/options.h"
#include "base/outlet.h"
#include "base/paths.h"
#include "base/tool.h"
#include "bridge.h"
#include "control.h"
#include "raw_terminal.h"
#include "ssh/upstream.h"
#include "visitors.h"

namespace {

constexpr char kUsage[] =
    "asp-dial {-i keyfile | -I fd [-n keyname]} [-4 | -6] [-v] [-b source_address] [-C fd] [-K seconds] [-k "
    "known_hosts] [-l user] [-O] "
    "[-t seconds] "
    "host[:port] -- command [word ...]\n"
    "asp-dial ... -R fd [-w seconds] host[:port]   (in the place of -C)\n"
    "asp-dial -A fd";

struct Dial {
  upstream::Server server;
  std::string keyfile;
  std::string key_name;            // for messages, with a descriptor
  int key_descriptor = -1;         // instead of the key file
  std::vector<std::string> words;  // empty with a listener
  std::chrono::seconds timeout;
  std::chrono::seconds silence;
  int control = -1;
  int listener = -1;          // where sessions arrive
  std::chrono::seconds idle;  // with a listener
  bool verbose = false;
};

std::string own_name() {
  const passwd* const entry = ::getpwuid(::geteuid());
  if (entry == nullptr) options::fail_usage(kUsage, "-l is needed: this user has no name");
  return entry->pw_name;
}

std::optional<IpAddress> source_address(const Options& options) {
  if (!options.has('b')) return std::nullopt;
  const auto source = IpAddress::parse(options.get('b', ""));
  if (!source) options::fail_usage(kUsage, "-b " + options.get('b', "") + ": not an address");
  return source;
}

int family(const Options& options) {
  if (options.has('4') && options.has('6')) options::fail_usage(kUsage, "-4 and -6 cannot be combined");
  return options.has('4') ? AF_INET : options.has('6') ? AF_INET6 : AF_UNSPEC;
}

// A descriptor that was handed to us; -1 without that option.
int own_descriptor(const Options& options, char letter) {
  if (!options.has(letter)) return -1;
  const int fd = static_cast<int>(options::number(options.get(letter, ""), letter, 3, 1'000'000));
  if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) options::fail_usage(kUsage, fmt::format("-{} {}: not open", letter, fd));
  return fd;
}

upstream::Key load_key(const Dial& dial) {
  constexpr std::size_t kMaxKey = 64 * 1024;
  if (dial.key_descriptor < 0) return upstream::Key::load(dial.keyfile);
  const Fd key(dial.key_descriptor);
  return upstream::Key::parse(io::read_all(key.get(), kMaxKey, "key"), dial.key_name);
}

Dial parse_options(int argc, char** argv) {
  const auto options = options::parse(argc, argv, "46b:C:I:i:K:k:l:n:OR:t:vw:", kUsage);
  auto words = options.operands;
  if (words.empty()) options::fail_usage(kUsage, "no host given");
  const auto host = HostPort::parse(words[0]);
  if (!host) options::fail_usage(kUsage, words[0] + ": not a host");
  words.erase(words.begin());
  if (options.has('w') && !options.has('R')) options::fail_usage(kUsage, "-w without -R");
  if (options.has('R')) {
    if (!words.empty()) options::fail_usage(kUsage, "-R takes no command");
    if (options.has('C') || options.has('v')) options::fail_usage(kUsage, "-R cannot be combined with -C or -v");
  } else {
    if (words.empty() || words[0] != "--") options::fail_usage(kUsage, "missing -- after the host");
    words.erase(words.begin());
    if (words.empty()) options::fail_usage(kUsage, "no command given");
  }
  if (options.has('i') == options.has('I')) options::fail_usage(kUsage, "one of -i and -I is needed");
  if (options.has('n') && !options.has('I')) options::fail_usage(kUsage, "-n without -I");

  Dial dial;
  dial.server.host = {host->host, host->port == 0 ? Port{22} : host->port};
  dial.server.user = options.has('l') ? options.get('l', "") : own_name();
  if (dial.server.user.empty()) options::fail_usage(kUsage, "-l: no name");
  dial.server.known_hosts = options.get('k', paths::kKnownHosts);
  dial.server.family = family(options);
  dial.server.source = source_address(options);
  dial.server.old_algorithms = options.has('O');
  dial.keyfile = options.get('i', "");
  dial.key_name = options.get('n', "on descriptor");
  dial.words = std::move(words);
  dial.timeout = std::chrono::seconds(options::number(options.get('t', "10"), 't', 1, 3600));
  dial.silence = std::chrono::seconds(options::number(options.get('K', "15"), 'K', 1, 3600));
  dial.idle = std::chrono::seconds(options::number(options.get('w', "60"), 'w', 1, 3600));
  dial.key_descriptor = own_descriptor(options, 'I');
  dial.control = own_descriptor(options, 'C');
  dial.listener = own_descriptor(options, 'R');
  dial.verbose = options.has('v');
  return dial;
}

// Carries one session; the server and its key are verified already.
upstream::End bridge(const Dial& dial, upstream::Session& session, upstream::Command& command,
                     const std::string& command_line, const std::string& term, Control& control) {
  Terminal terminal(STDIN_FILENO);
  if (terminal) command.request_terminal(term, terminal.size());
  control.await_run(session);  // 65 75
  command.start(command_line);
  control.running();
  terminal.make_raw();
  const auto end = Bridge(session, command, terminal, control.fd(), dial.silence).run();  // 69 74 75
  control.ended(end);
  return end;
}

// Arguments that came over a descriptor, each with a NUL behind it.
class Arguments {
 public:
  Arguments(int argc, char** argv) : words_(argv, argv + argc) {
    if (argc < 2 || std::string_view(argv[1]) != "-A") return;
    if (argc != 3) options::fail_usage(kUsage, "-A takes a descriptor, and nothing else");
    constexpr std::size_t kMost = 64 * 1024;
    const Fd from(static_cast<int>(options::number(argv[2], 'A', 3, 1'000'000)));
    text_ = io::read_all(from.get(), kMost, "arguments");
    if (!text_.empty() && text_.back() != '\0') options::fail_usage(kUsage, "-A: an argument is not terminated");
    words_ = {argv[0]};
    for (std::size_t at = 0; at < text_.size(); at = text_.find('\0', at) + 1) words_.push_back(text_.data() + at);
  }

  int count() const { return static_cast<int>(words_.size()); }
  // Ends with a null pointer, as main's.
  char** values() {
    if (words_.back() != nullptr) words_.push_back(nullptr);
    return words_.data();
  }

 private:
  std::string text_;
  std::vector<char*> words_;
};

// Logged in: descriptors are all that is left.
void confine_for_good() {
  confine::see_only({});
  confine::allow_only({confine::kLoggedInDial});
}

// Until then: what name servers, libraries and known_hosts need.
void confine_until_login(const Dial& dial) {
  const std::string& enrolled = dial.server.known_hosts;
  confine::see_only({"/usr", "/lib", "/lib64", "/etc", "/run", "/var/lib/sss", "/dev/urandom", dial.keyfile,
                     enrolled.substr(0, enrolled.rfind('/') + 1)});
  confine::forbid_dangerous();
  Outlet::prepare();
}

std::unique_ptr<upstream::Session> connect(const Dial& dial, Control& control) {
  const auto key = load_key(dial);  // 78
  const auto reached = [&](const Endpoint& address) { control.reached(address); };
  const auto verified = [&] { control.verified(); };
  const auto silent = [&] { control.silent(); };
  auto session =
      std::make_unique<upstream::Session>(dial.server, key, dial.timeout, reached, verified, silent);  // 69 76 77 78
  confine_for_good();
  return session;
}

int dial_and_bridge(const Dial& dial, Control& control) {
  const auto session = connect(dial, control);
  upstream::Command command(*session);
  control.connected(*session);
  return bridge(dial, *session, command, upstream::shell_command(dial.words), env::get("TERM").value_or("dumb"),
                control)
      .exit_code();
}

// When conducted, stderr belongs to the remote user, so a failure is reported only on the control
// descriptor.
template <typename Work>
int conducted(Control& control, Work work) {
  int code = tool::internal;
  std::string reason;
  bool of_client = false;
  try {
    return work();
  } catch (const upstream::NoAddress& failure) {
    code = failure.code();
    reason = failure.what();
    of_client = true;
  } catch (const tool::Failure& failure) {
    code = failure.code();
    reason = failure.what();
  } catch (const std::exception& fault) {
    reason = std::string("internal error: ") + fault.what();
  }
  try {
    control.failed(code, reason, of_client);
  } catch (const tool::Failure&) {  // nobody is left to tell
  }
  return code;
}

// Serves one session after another over one connection, which the first one makes. A later session is
// told that it is connected once the server has opened a channel for it, so a dead server is noticed.
// If a session does not end normally, we end, too.
int keep(const Dial& dial) {
  Visitors visitors(dial.listener);
  std::unique_ptr<upstream::Session> session;
  auto visit = visitors.first();
  for (; visit; visit = visitors.next(*session, dial.idle)) {
    Control control(visit->control.get(), true);
    bool well = false;
    const int code = conducted(control, [&] {
      const bool reused = session != nullptr;
      if (!reused) session = connect(dial, control);
      upstream::Command command(*session);
      control.connected(*session, reused);
      const auto end = bridge(dial, *session, command, visit->command, visit->term, control);
      well = true;
      return end.exit_code();
    });
    if (!well) return code;
    visit.reset();  // its end tells that the session is over
  }
  return tool::yes;
}

int run(int argc, char** argv) {
  // All dialers share an account. Another process of it must not read the key.
  ::prctl(PR_SET_DUMPABLE, 0);
  Arguments arguments(argc, argv);
  const int count = arguments.count();
  const Dial dial = parse_options(count, arguments.values());
  confine_until_login(dial);
  if (dial.listener >= 0) return keep(dial);
  if (dial.control >= 0) {
    Control control(dial.control, true);
    return conducted(control, [&] { return dial_and_bridge(dial, control); });
  }
  Control control(dial.verbose ? STDERR_FILENO : -1, false);
  return dial_and_bridge(dial, control);
}

}  // namespace

int main(int argc, char** argv) { return tool::guard("asp-dial", kUsage, run, argc, argv, tool::Audience::operators); }
