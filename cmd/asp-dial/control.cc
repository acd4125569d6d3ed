#include "control.h"

#include <cerrno>
#include <chrono>

#include <fmt/core.h>

#include "base/await.h"
#include "base/failure.h"
#include "base/io.h"
#include "base/status.h"

namespace {

constexpr std::chrono::seconds kRunPatience{60};
constexpr std::size_t kLongestLine = 64;

}  // namespace

void Control::say(const std::string& line) {
  if (output_ >= 0) io::write_all(output_, line);
}

void Control::silent() {
  if (conducted_) say(status::Line{"silent", {}}.text());
}

void Control::reached(const Endpoint& address) {
  if (conducted_) say(status::Line{"reached", {}}.with("address", address.text()).text());
}

void Control::verified() {
  if (conducted_) say(status::Line{"verified", {}}.text());
}

void Control::connected(const upstream::Session& session, bool reused) {
  const upstream::Steps steps = reused ? upstream::Steps{} : session.steps();
  status::Line line{"connected", {}};
  line.with("address", session.address().text()).with("host_key", session.host_key().text());
  line.with("connect_ms", std::to_string(steps.connect.count()))
      .with("handshake_ms", std::to_string(steps.handshake.count()))
      .with("login_ms", std::to_string(steps.login.count()));
  if (reused) line.with("reused", "true");
  say(line.text());
}

void Control::await_run(upstream::Session& session) {
  if (!conducted_) return;
  const auto deadline = Deadline::in(kRunPatience);
  io::LineBuffer lines(kLongestLine);
  for (;;) {
    if (const auto line = lines.pop()) {
      if (*line == "run") return;
      throw tool::Failure(tool::bad_input, "read control descriptor: expected 'run'");
    }
    await::On conductor(output_), server(session.fd(), session.events());
    if (!await::any(deadline, conductor, server))
      throw tool::Failure(tool::temporary, "read control descriptor: timed out");
    if (server && !session.process()) {
      throw tool::Failure(tool::unavailable,
                          fmt::format("connection to {} lost: {}", session.address().text(), session.lost_reason()));
    }
    if (conductor && !lines.fill(output_)) {
      throw tool::Failure(tool::temporary, "read control descriptor: closed before 'run'");
    }
  }
}

void Control::running() { say(status::Line{"running", {}}.text()); }

void Control::ended(const upstream::End& end) {
  status::Line line{"ended", {}};
  if (end.signal.empty()) line.with("status", std::to_string(end.status));
  else line.with("signal", end.signal);
  say(line.text());
}

void Control::failed(int code, const std::string& reason, bool of_client) {
  status::Line line{"failed", {}};
  line.with("code", std::to_string(code)).with("reason", reason);
  if (of_client) line.with("fault", "client");
  say(line.text());
}
