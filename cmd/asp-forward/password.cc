#include "password.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/core.h>

#include "env.h"
#include "fd.h"
#include "io.h"
#include "logging.h"
#include "tool.h"

namespace forward {
namespace {

constexpr std::size_t kMaxPassword = 1024;

bool is_password(const std::string& text) {
  return text.size() <= kMaxPassword && std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

std::string from_file(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!file) tool::fail_errno(tool::config, "open " + path);
  struct stat about;
  if (::fstat(file.get(), &about) != 0) tool::fail_errno(tool::config, "stat " + path);
  if (!S_ISREG(about.st_mode) && !S_ISFIFO(about.st_mode)) throw tool::Failure(tool::config, fmt::format("read {}: no file", path));
  if ((about.st_mode & 077) != 0 || (about.st_uid != ::geteuid() && about.st_uid != 0)) {
    throw tool::Failure(tool::config, fmt::format("read {}: others can read or change it; chown it to yourself, and chmod 600", path));
  }
  const auto text = io::read_all(file.get(), 4 * kMaxPassword, path);
  auto line = text.substr(0, text.find('\n'));
  if (line.ends_with('\r')) line.pop_back();
  if (line.empty() || !is_password(line)) throw tool::Failure(tool::config, fmt::format("read {}: no password in its first line", path));
  return line;
}

// A terminal that shows nothing of what is typed, and cannot be left in that
// state by ^Z.
class Unseen {
 public:
  explicit Unseen(int fd) : fd_(fd) {
    if (::tcgetattr(fd, &saved_) != 0) tool::fail_errno(tool::os, "tcgetattr");
    termios unseen = saved_;
    unseen.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL);
    unseen.c_cc[VSUSP] = _POSIX_VDISABLE;
    if (::tcsetattr(fd, TCSAFLUSH, &unseen) != 0) tool::fail_errno(tool::os, "tcsetattr");
  }
  Unseen(const Unseen&) = delete;
  ~Unseen() { ::tcsetattr(fd_, TCSAFLUSH, &saved_); }

 private:
  int fd_;
  termios saved_{};
};

std::string from_terminal(const ProxyUrl& url, Signals& signals) {
  const Fd terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
  if (!terminal) {
    throw tool::Failure(tool::not_permitted,
                        fmt::format("no password for {}, and no terminal to ask on; set ASPERA_PROXY_PASS, or use --password-file", url.user));
  }
  const Unseen unseen(terminal.get());
  io::write_all(terminal.get(), fmt::format("Password of {} at {}: ", logging::escape(url.user), url.host.text()));
  io::LineBuffer lines(kMaxPassword);
  for (;;) {
    pollfd ready[] = {{terminal.get(), POLLIN, 0}, {signals.fd(), POLLIN, 0}};
    if (::poll(ready, 2, -1) < 0 && errno != EINTR) tool::fail_errno(tool::os, "poll");
    const auto caught = ready[1].revents ? signals.take() : std::nullopt;
    if (caught || ready[0].revents) {
      const bool more = caught || lines.fill(terminal.get());
      const auto line = caught ? std::nullopt : lines.pop();
      if (caught || line || !more) io::write_all(terminal.get(), "\n");
      if (caught) end_by(caught->number);
      if (line && is_password(*line)) return *line;
      if (line || !more) throw tool::Failure(tool::not_permitted, "no password was given");
    }
  }
}

}  // namespace

std::string find_password(const std::string& file, const ProxyUrl& url, Signals& signals) {
  if (!file.empty()) return from_file(file);
  if (url.password) return *url.password;
  if (const auto password = env::get("ASPERA_PROXY_PASS")) return *password;
  return from_terminal(url, signals);
}

}  // namespace forward
