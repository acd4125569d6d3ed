#include "dialer.h"

#include "env.h"
#include "logging.h"
#include "paths.h"
#include "upstream_command.h"

namespace {

constexpr int kControl = 3;  // the descriptor as asp-dial sees it

std::vector<std::string> arguments(const Route& route, const HostPort& host, const std::vector<std::string>& words, int family) {
  std::vector<std::string> argv{std::string(paths::kBin) + "asp-dial",
                                "-C", std::to_string(kControl),
                                "-i", route.keyfile,
                                "-l", route.upstream_user,
                                "-k", route.known_hosts,
                                "-t", std::to_string(route.connect_timeout.count())};
  if (family != AF_UNSPEC) argv.push_back(family == AF_INET ? "-4" : "-6");
  if (route.bind_source_address) argv.insert(argv.end(), {"-b", route.bind_source_address->text()});
  argv.insert(argv.end(), {host.text(), "--"});
  argv.insert(argv.end(), words.begin(), words.end());
  return argv;
}

}  // namespace

Dialer::Dialer(const Route& route, const HostPort& host, const std::vector<std::string>& words, int family) {
  auto control = fd::socket_pair();
  const auto argv = arguments(route, host, words, family);
  logging::debug2("Runs: {}", logging::escape(upstream::shell_command(argv)));
  child_ = child::spawn({argv, env::allow({"TERM"}), {{control.write.get(), kControl}}});
  control_ = std::move(control.read);
  fd::set_nonblocking(control_.get());
}

std::optional<status::Line> Dialer::next() {
  auto line = lines_.pop();
  if (!line && !hung_up_) {
    hung_up_ = !lines_.fill(control_.get());
    line = lines_.pop();
  }
  if (!line) return std::nullopt;
  return status::parse(*line);
}

void Dialer::run() { io::write_all(control_.get(), "run\n"); }
