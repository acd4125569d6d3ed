#include "who/asked_host.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/await.h"
#include "base/cut.h"
#include "base/env.h"
#include "base/fd.h"

namespace asked_host {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kLineStart = "as_session_init ";
constexpr std::string_view kHostOption = "--host=";
// Peeked bytes stay in place, so poll(2) would call them readable at once. Instead, this often it is
// checked whether the rest of the line is there.
constexpr milliseconds kPeekEvery{20};

bool is_printable(char c) { return c >= 0x20 && c < 0x7f; }

// Copies up to `size` bytes that are waiting in `fd`, and leaves them there. Returns as read(2) does:
// -1 and EAGAIN when there is nothing yet.
ssize_t peek_bytes(int fd, bool is_socket, char* bytes, std::size_t size) {
  if (is_socket) return ::recv(fd, bytes, size, MSG_PEEK | MSG_DONTWAIT);
  const auto copy = fd::pipe();
  const ssize_t count = ::tee(fd, copy.write.get(), size, SPLICE_F_NONBLOCK);
  return count <= 0 ? count : ::read(copy.read.get(), bytes, static_cast<std::size_t>(count));
}

}  // namespace

Opening in_stream(std::string_view start) {
  const auto verb = start.substr(0, kLineStart.size());
  if (verb != kLineStart.substr(0, verb.size())) return {true, {}};
  const auto newline = start.substr(0, kMaxLine).find('\n');
  auto line = start.substr(0, newline);
  if (newline != start.npos && line.ends_with('\r')) line.remove_suffix(1);
  // A CR at the end of the bytes so far may be followed by its LF.
  const auto shown = newline == start.npos && line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
  if (!std::all_of(shown.begin(), shown.end(), is_printable)) return {true, {}};
  if (newline == start.npos) return {start.size() >= kMaxLine, {}};
  const auto parts = cut::words(line, " ");
  const std::vector<std::string> words(parts.begin(), parts.end());
  const bool options =
      std::all_of(words.begin() + 1, words.end(), [](const std::string& word) { return word.starts_with("--"); });
  return {true, options ? in_words(words) : std::nullopt};
}

std::optional<HostPort> in_words(const std::vector<std::string>& words) {
  std::optional<std::string_view> found;
  for (std::size_t at = 1; at < words.size(); ++at) {
    if (!words[at].starts_with(kHostOption)) continue;
    if (found) return std::nullopt;
    found = std::string_view(words[at]).substr(kHostOption.size());
  }
  return found ? HostPort::parse(*found) : std::nullopt;
}

std::optional<HostPort> peek(int fd, milliseconds patience) {
  struct stat kind {};
  if (::fstat(fd, &kind) != 0 || !(S_ISSOCK(kind.st_mode) || S_ISFIFO(kind.st_mode))) return std::nullopt;
  const auto deadline = Deadline::in(patience);
  char bytes[kMaxLine];
  for (bool hung_up = false;;) {
    const ssize_t count = peek_bytes(fd, S_ISSOCK(kind.st_mode), bytes, sizeof bytes);
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) return std::nullopt;
    if (count > 0) {
      const auto opening = in_stream({bytes, static_cast<std::size_t>(count)});
      if (opening.decided) return opening.name;
    }
    if (hung_up || deadline.over()) return std::nullopt;
    const bool some = count > 0;
    await::On more(fd, static_cast<short>(some ? POLLRDHUP : POLLIN | POLLRDHUP));
    const bool ready = await::any(some ? std::min(deadline, Deadline::in(kPeekEvery)) : deadline, more);
    // No more bytes will come; those that came just before the end are there now.
    hung_up = some && ready;
  }
}

std::optional<HostPort> find(const std::vector<std::string>& words) {
  if (const auto name = peek(STDIN_FILENO, kPatience)) return name;
  if (const auto name = in_words(words)) return name;
  return HostPort::parse(env::get("ASPERA_HOST").value_or(""));
}

}  // namespace asked_host
