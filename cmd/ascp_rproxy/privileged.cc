#include "privileged.h"

#include <unistd.h>

#include "env.h"
#include "logging.h"
#include "paths.h"

Privileged::Privileged(const std::string& tool, int in, int out, Fd channel) : channel_(std::move(channel)) {
  auto err = fd::pipe();
  child_ = child::spawn({{paths::kSudo, "-n", "--", paths::kLibexec + tool}, env::allow({"TERM"}), {{in, 0}, {out, 1}, {err.write.get(), 2}}});
  err_ = std::move(err.read);
  fd::set_nonblocking(channel_.get());
  fd::set_nonblocking(err_.get());
  logging::debug2("Runs: {} -n -- {}{}", paths::kSudo, paths::kLibexec, tool);
}

std::optional<status::Line> Privileged::next() {
  auto line = lines_.pop();
  if (!line && !hung_up_) {
    hung_up_ = !lines_.fill(channel_.get());
    line = lines_.pop();
  }
  if (!line) return std::nullopt;
  return status::parse(*line);
}

std::string Privileged::complaint() {
  char text[1024];
  const ssize_t length = ::read(err_.get(), text, sizeof text);
  std::string said(text, length > 0 ? static_cast<std::size_t>(length) : 0);
  while (!said.empty() && said.back() == '\n') said.pop_back();
  return said.empty() ? "no reason given" : said;
}
