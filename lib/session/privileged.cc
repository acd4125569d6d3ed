#include "session/privileged.h"

#include <unistd.h>

#include <utility>

#include <fmt/core.h>

#include "base/await.h"
#include "base/env.h"
#include "base/logging.h"
#include "base/paths.h"

namespace session {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kComplaintTime{500};

}  // namespace

std::vector<std::string> Privileged::argv(const std::string& tool) {
  return {paths::kSudo, "-n", "-u", "root", "--", paths::kLibexec + tool};
}

Privileged::Privileged(const std::string& tool, int in, int out, Fd channel) : channel_(std::move(channel)) {
  auto err = fd::pipe();
  child_ = child::spawn({argv(tool), env::allow({"TERM"}), {{in, 0}, {out, 1}, {err.write.get(), 2}}});
  err_ = std::move(err.read);
  fd::set_nonblocking(channel_.get());
  fd::set_nonblocking(err_.get());
  logging::debug2("Runs: {} -n -u root -- {}{}", paths::kSudo, paths::kLibexec, tool);
}

std::optional<status::Line> Privileged::next() {
  auto line = lines_.pop();
  if (!line && !hung_up_) {
    hung_up_ = !lines_.fill(channel_.get());
    line = lines_.pop();
  }
  if (!line) return std::nullopt;
  if (!std::exchange(spoke_, true))
    first_word_after_ = std::chrono::duration_cast<milliseconds>(Deadline::Clock::now() - begun_);
  return status::parse(*line);
}

std::optional<status::Line> Privileged::await(const Deadline& deadline, int other_fd) {
  for (;;) {
    if (auto line = next()) return line;
    if (hung_up()) return std::nullopt;
    await::On ours(fd()), other(other_fd);
    if (!await::any(deadline, ours, other) || !ours) return std::nullopt;
  }
}

std::string Privileged::complaint() {
  char text[1024];
  const ssize_t length = ::read(err_.get(), text, sizeof text);
  std::string said(text, length > 0 ? static_cast<std::size_t>(length) : 0);
  while (!said.empty() && said.back() == '\n') said.pop_back();
  if (!said.empty()) return said;
  const auto status = hung_up_ ? wait(kComplaintTime) : std::nullopt;
  return status ? fmt::format("no reason given (status {})", *status) : "no reason given";
}

}  // namespace session
