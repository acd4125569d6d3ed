#include "holder.h"

#include <poll.h>
#include <unistd.h>

#include <chrono>

#include "env.h"
#include "logging.h"
#include "paths.h"
#include "record.h"

Holder::Holder(const std::string& session, const Request& request) {
  auto in = fd::pipe();
  auto out = fd::pipe();
  auto err = fd::pipe();
  child_ = child::spawn({{paths::kSudo, "-n", "--", std::string(paths::kLibexec) + "asp-pinhole"},
                         env::allow({}),
                         {{in.read.get(), 0}, {out.write.get(), 1}, {err.write.get(), 2}}});
  in_ = std::move(in.write);
  out_ = std::move(out.read);
  err_ = std::move(err.read);
  fd::set_nonblocking(out_.get());
  fd::set_nonblocking(err_.get());
  logging::debug2("Runs: {} -n -- {}asp-pinhole", paths::kSudo, paths::kLibexec);
  Record asked;
  asked.add("session", session);
  request.add_to(asked);
  io::write_all(in_.get(), asked.text());
}

void Holder::choose(const HostPort& host, const std::string& address) {
  Record chosen;
  chosen.add("host", host.text());
  chosen.add("address", address);
  io::write_all(in_.get(), chosen.text());
}

std::optional<status::Line> Holder::next() {
  auto line = lines_.pop();
  if (!line && !hung_up_) {
    hung_up_ = !lines_.fill(out_.get());
    line = lines_.pop();
  }
  if (!line) return std::nullopt;
  return status::parse(*line);
}

std::optional<status::Line> Holder::await(int seconds, int other_fd) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::seconds(seconds);
  for (;;) {
    if (auto line = next()) return line;
    if (hung_up_) return std::nullopt;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return std::nullopt;
    pollfd wait[] = {{out_.get(), POLLIN, 0}, {other_fd, POLLIN, 0}};
    ::poll(wait, 2, static_cast<int>(left));
    if (wait[1].revents && !wait[0].revents) return std::nullopt;
  }
}

std::string Holder::complaint() {
  char text[1024];
  const ssize_t length = ::read(err_.get(), text, sizeof text);
  std::string said(text, length > 0 ? static_cast<std::size_t>(length) : 0);
  while (!said.empty() && said.back() == '\n') said.pop_back();
  return said.empty() ? "no reason given" : said;
}
