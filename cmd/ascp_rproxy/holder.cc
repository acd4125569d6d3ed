#include "holder.h"

#include <poll.h>

#include <chrono>

#include "record.h"

struct Holder::Pipes {
  fd::Pair in = fd::pipe();
  fd::Pair out = fd::pipe();
};

Holder::Holder(const std::string& session, const Request& request) : Holder(session, request, Pipes{}) {}

Holder::Holder(const std::string& session, const Request& request, Pipes pipes)
    : Privileged("asp-pinhole", pipes.in.read.get(), pipes.out.write.get(), std::move(pipes.out.read)), in_(std::move(pipes.in.write)) {
  Record asked;
  asked.add("session", session);
  request.add_to(asked);
  io::write_all(in_.get(), asked.text());
}

void Holder::choose(const std::string& host, const std::string& address) {
  Record chosen;
  chosen.add("host", host);
  chosen.add("address", address);
  io::write_all(in_.get(), chosen.text());
}

std::optional<status::Line> Holder::await(int seconds, int other_fd) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::seconds(seconds);
  for (;;) {
    if (auto line = next()) return line;
    if (hung_up()) return std::nullopt;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return std::nullopt;
    pollfd wait[] = {{fd(), POLLIN, 0}, {other_fd, POLLIN, 0}};
    ::poll(wait, 2, static_cast<int>(left));
    if (wait[1].revents && !wait[0].revents) return std::nullopt;
  }
}
