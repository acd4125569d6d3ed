#include "password.h"

#include <csignal>
#include <cstring>
#include <optional>

#include <fmt/core.h>

#include "base/failure.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/signals.h"
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

}  // namespace

std::string from_stdin() {
  std::string text = io::read_all(STDIN_FILENO, kMaxLine, "standard input");
  if (text.ends_with('\n')) text.pop_back();
  return checked(text);
}

std::string from_terminal(const std::string& user) {
  std::optional<std::string> first;
  std::optional<std::string> second;
  std::optional<Signals::Caught> caught;
  {
    const auto ending = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    const SignalsPutOff put_off(ending);  // until the terminal echoes again
    const Signals signals(ending);
    AskingTerminal terminal(kMaxLine);
    if (!terminal.is_there())
      throw tool::Failure(tool::usage,
                          "ask for the password: there is no terminal; give it on standard input, with -p -");
    first = terminal.ask(fmt::format("Password for {}: ", logging::escape(user)), signals.fd());
    if (first && config::node_users::is_password(*first)) second = terminal.ask("Again: ", signals.fd());
    caught = signals.take();
  }
  if (caught) ::raise(caught->number);
  const std::string password = checked(first.value_or(""));
  if (second != password) throw tool::Failure(tool::bad_input, "the two passwords differ");
  return password;
}

void hide(int argc, char** argv, const std::string& given) {
  if (given.empty() || given == "-") return;
  for (int i = 1; i < argc; ++i) {
    // The option may be -p password, -ppassword, or -amppassword: the password is the end of a word.
    const std::size_t length = std::strlen(argv[i]);
    if (length >= given.size() && given == argv[i] + length - given.size())
      std::memset(argv[i] + length - given.size(), '*', given.size());
  }
}

}  // namespace password
