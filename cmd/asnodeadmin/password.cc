#include "password.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <optional>

#include <fmt/core.h>

#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/terminal.h"
#include "config/node_passwords.h"

namespace password {
namespace {

constexpr std::size_t kMaxLine = 1024;

std::string checked(std::string text) {
  if (config::node_users::is_password(text)) return text;
  throw tool::Failure(tool::bad_input, fmt::format("the password must have 1 to {} bytes and no control characters",
                                                   config::node_users::kMaxPassword));
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

}  // namespace

std::string from_stdin() {
  std::string text = io::read_all(STDIN_FILENO, kMaxLine, "standard input");
  if (text.ends_with('\n')) text.pop_back();
  return checked(text);
}

std::string from_terminal(const std::string& user) {
  std::optional<std::string> first;
  std::optional<std::string> second;
  int caught = 0;
  {
    const Signals signals;
    UnseenTerminal terminal(kMaxLine);
    if (!terminal.is_there())
      throw tool::Failure(tool::usage,
                          "ask for the password: there is no terminal; give it on standard input, with -p -");
    first = terminal.ask(fmt::format("Password for {}: ", logging::escape(user)), signals.fd());
    if (first && config::node_users::is_password(*first)) second = terminal.ask("Again: ", signals.fd());
    caught = signals.take();
  }
  if (caught) ::raise(caught);
  const std::string password = checked(first.value_or(""));
  if (second != password) throw tool::Failure(tool::bad_input, "the two passwords differ");
  return password;
}

void hide(int argc, char** argv, const std::string& given) {
  if (given.empty() || given == "-") return;
  for (int i = 1; i < argc; ++i) {
    // -p password, or -ppassword, or -amppassword: it is the end of a word.
    const std::size_t length = std::strlen(argv[i]);
    if (length >= given.size() && given == argv[i] + length - given.size())
      std::memset(argv[i] + length - given.size(), '*', given.size());
  }
}

}  // namespace password
