#include "attempt.h"

#include <chrono>

#include <fmt/core.h>

#include "accounts.h"
#include "env.h"
#include "logging.h"
#include "paths.h"
#include "upstream_command.h"

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::seconds;

constexpr int kControl = 3;  // the descriptors as asp-dial sees them
constexpr int kKey = 4;
constexpr int kLookMilliseconds = 250;       // how often to see what others found out
constexpr seconds kGrace{25};                // asp-dial's time limits beyond that for connecting, and more
constexpr seconds kFarewell{5};              // to take leave of the server

std::vector<std::string> arguments(const Route& route, const HostPort& host, int family, const command_line::Words& words) {
  std::vector<std::string> argv{std::string(paths::kBin) + "asp-dial",
                                "-C", std::to_string(kControl),
                                "-I", std::to_string(kKey),
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

Attempt::Attempt(const Route& route, const HostPort& host, int family, const std::string& key, const command_line::Words& words, const std::vector<Fd>& descriptors)
    : patience_(route.connect_timeout + kGrace) {
  auto control = fd::socket_pair();
  auto key_pipe = fd::pipe();  // holds 64 KiB, as much as a key may have
  io::write_all(key_pipe.write.get(), key);
  child::Program program{arguments(route, host, family, words), env::allow({"TERM"}), {{control.write.get(), kControl}, {key_pipe.read.get(), kKey}}, accounts::identity_of(paths::kDialAccount)};
  for (int fd = 0; fd < 3; ++fd) program.mapping.emplace_back(descriptors.at(static_cast<std::size_t>(fd)).get(), fd);
  logging::debug2("Runs: {}", logging::escape(upstream::shell_command(program.argv)));
  child_ = child::spawn(program);
  control_ = std::move(control.read);
  fd::set_nonblocking(control_.get());
}

std::optional<status::Line> Attempt::next() {
  auto line = lines_.pop();
  if (!line && !hung_up_) {
    hung_up_ = !lines_.fill(control_.get());
    line = lines_.pop();
  }
  if (!line) return std::nullopt;
  return status::parse(*line);
}

std::optional<tool::Failure> Attempt::await_connected(balance::Choice& choice, ConductorLink& link) {
  const auto started = Clock::now();
  for (;;) {
    while (const auto line = next()) {
      if (line->event == "failed") return tool::Failure(status::failure_code(*line), line->get("reason"));
      if (line->event == "silent" && !choice.waits_though_silent()) return tool::Failure(tool::unavailable, "it does not answer, and another session waits for it");
      if (line->event != "connected") continue;
      connected_ = *line;
      return std::nullopt;
    }
    if (hung_up_) return tool::Failure(tool::internal, "asp-dial died");
    link.wait(control_.get(), kLookMilliseconds);
    if (link.ended()) {
      choice.abandon();
      throw tool::Failure(tool::temporary, "the session ended while connecting");
    }
    const auto waited = Clock::now() - started;
    if (waited > patience_) return tool::Failure(tool::internal, "asp-dial does not answer");
    if (choice.given_up_by_others()) return tool::Failure(tool::unavailable, "another session found it faulty");
  }
}

int Attempt::relay(ConductorLink& link) {
  bool told_to_run = false;
  while (!hung_up_) {
    while (const auto line = next()) link.say(*line);
    if (hung_up_) break;
    link.wait(control_.get(), -1);
    while (const auto line = link.next()) {
      if (told_to_run || *line != "run") throw tool::Failure(tool::bad_input, "expected 'run', once");
      told_to_run = true;
      io::write_all(control_.get(), "run\n");
    }
    if (!link.ended()) continue;
    // Without its control asp-dial ends the remote command and takes leave.
    control_.reset();
    return child_.wait_for(kFarewell);
  }
  return child_.wait_for(kFarewell);
}
