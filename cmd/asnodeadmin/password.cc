#include "password.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include <fmt/core.h>

#include "fd.h"
#include "io.h"
#include "logging.h"
#include "node_users.h"
#include "tool.h"

namespace password {
namespace {

constexpr std::size_t kMaxLine = 1024;

std::string checked(std::string text) {
  if (node_users::is_password(text)) return text;
  throw tool::Failure(tool::bad_input, fmt::format("the password must have 1 to {} bytes and no control characters", node_users::kMaxPassword));
}

// Signals that would end us come in as something to read instead.
class Signals {
 public:
  Signals() {
    ::sigemptyset(&held_);
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) ::sigaddset(&held_, number);
    ::sigprocmask(SIG_BLOCK, &held_, &before_);
    fd_ = Fd(::signalfd(-1, &held_, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd_) tool::fail_errno(tool::os, "signalfd");
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  ~Signals() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }

  int fd() const { return fd_.get(); }
  // 0: none came.
  int take() const {
    signalfd_siginfo caught{};
    return ::read(fd_.get(), &caught, sizeof caught) == sizeof caught ? static_cast<int>(caught.ssi_signo) : 0;
  }

 private:
  sigset_t held_{};
  sigset_t before_{};
  Fd fd_;
};

// A terminal that shows nothing of what is typed. ^Z could leave it so.
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
  Unseen& operator=(const Unseen&) = delete;
  ~Unseen() { ::tcsetattr(fd_, TCSAFLUSH, &saved_); }

 private:
  int fd_;
  termios saved_{};
};

struct Typed {
  std::string line;
  int signal = 0;  // what came instead
};

Typed read_line(int terminal, io::LineBuffer& lines, const Signals& signals) {
  for (;;) {
    if (auto line = lines.pop()) return {std::move(*line), 0};
    pollfd ready[] = {{terminal, POLLIN, 0}, {signals.fd(), POLLIN, 0}};
    if (::poll(ready, 2, -1) < 0 && errno != EINTR) tool::fail_errno(tool::os, "poll");
    if (ready[1].revents) return {"", signals.take()};
    if (ready[0].revents && !lines.fill(terminal)) return {};
  }
}

Typed ask(int terminal, io::LineBuffer& lines, const Signals& signals, const std::string& question) {
  io::write_all(terminal, question);
  auto typed = read_line(terminal, lines, signals);
  io::write_all(terminal, "\n");
  return typed;
}

}  // namespace

std::string from_stdin() {
  std::string text = io::read_all(STDIN_FILENO, kMaxLine, "standard input");
  if (text.ends_with('\n')) text.pop_back();
  return checked(text);
}

std::string from_terminal(const std::string& user) {
  const Fd terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
  if (!terminal) throw tool::Failure(tool::usage, "ask for the password: there is no terminal; give it on standard input, with -p -");
  Typed first;
  Typed second;
  {
    const Signals signals;
    const Unseen unseen(terminal.get());
    io::LineBuffer lines(kMaxLine);
    first = ask(terminal.get(), lines, signals, fmt::format("Password for {}: ", logging::escape(user)));
    if (!first.signal && node_users::is_password(first.line)) second = ask(terminal.get(), lines, signals, "Again: ");
  }
  for (const int number : {first.signal, second.signal}) {
    if (number) ::raise(number);
  }
  const std::string password = checked(first.line);
  if (second.line != password) throw tool::Failure(tool::bad_input, "the two passwords differ");
  return password;
}

void hide(int argc, char** argv, const std::string& given) {
  if (given.empty() || given == "-") return;
  for (int i = 1; i < argc; ++i) {
    // -p password, or -ppassword, or -amppassword: it is the end of a word.
    const std::size_t length = std::strlen(argv[i]);
    if (length >= given.size() && given == argv[i] + length - given.size()) std::memset(argv[i] + length - given.size(), '*', given.size());
  }
}

}  // namespace password
