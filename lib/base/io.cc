#include "base/io.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include <fmt/core.h>

#include "base/await.h"
#include "base/failure.h"

namespace io {
namespace {

void check(std::string_view line, std::size_t limit) {
  if (line.size() > limit) throw tool::Failure(tool::bad_input, fmt::format("line longer than {} bytes", limit));
  if (line.find('\0') != line.npos) throw tool::Failure(tool::bad_input, "NUL byte in input");
}

}  // namespace

std::string read_all(int fd, std::size_t limit, const std::string& what) {
  std::string text;
  char chunk[16384];
  for (;;) {
    const ssize_t got = ::read(fd, chunk, sizeof chunk);
    if (got == 0) return text;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) tool::fail_errno(tool::io, "read " + what);
    text.append(chunk, static_cast<std::size_t>(got));
    if (text.size() > limit) throw tool::Failure(tool::bad_input, fmt::format("{}: more than {} bytes", what, limit));
  }
}

void write_all(int fd, std::string_view text, const std::string& what) {
  while (!text.empty()) {
    const ssize_t put = ::write(fd, text.data(), text.size());
    if (put >= 0) {
      text.remove_prefix(static_cast<std::size_t>(put));
    } else if (errno == EAGAIN) {
      await::writable(fd, Deadline::never());
    } else if (errno != EINTR) {
      tool::fail_errno(tool::io, what.empty() ? fmt::format("write to descriptor {}", fd) : "write " + what);
    }
  }
}

bool LineBuffer::fill(int fd) {
  char chunk[4096];
  const ssize_t got = ::read(fd, chunk, sizeof chunk);
  if (got == 0) return false;
  if (got < 0) {
    if (errno == EINTR || errno == EAGAIN) return true;
    if (errno == ECONNRESET) return false;  // another way in which a socket ends
    tool::fail_errno(tool::io, "read");
  }
  add({chunk, static_cast<std::size_t>(got)});
  return true;
}

void LineBuffer::add(std::string_view bytes) {
  held_.append(bytes);
  if (held_.find('\n') == held_.npos) check(held_, limit_);
}

std::optional<std::string> LineBuffer::pop() {
  const auto end = held_.find('\n');
  if (end == held_.npos) return std::nullopt;
  std::string line = held_.substr(0, end);
  held_.erase(0, end + 1);
  check(line, limit_);
  return line;
}

std::optional<std::string> LineBuffer::rest() {
  if (held_.empty()) return std::nullopt;
  check(held_, limit_);
  return std::exchange(held_, {});
}

}  // namespace io
