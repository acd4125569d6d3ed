#include "base/terminal.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/await.h"
#include "base/failure.h"

AskingTerminal::AskingTerminal(std::size_t longest, Echo echo)
    : terminal_(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)), lines_(longest), echo_(echo == Echo::on) {
  if (!terminal_) return;
  if (::tcgetattr(terminal_.get(), &saved_) != 0) tool::fail_errno(tool::os, "tcgetattr");
  termios unseen = saved_;
  if (echo == Echo::off) unseen.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL);
  unseen.c_cc[VSUSP] = _POSIX_VDISABLE;
  if (::tcsetattr(terminal_.get(), TCSAFLUSH, &unseen) != 0) tool::fail_errno(tool::os, "tcsetattr");
}

AskingTerminal::~AskingTerminal() {
  if (terminal_) ::tcsetattr(terminal_.get(), TCSAFLUSH, &saved_);
}

std::optional<std::string> AskingTerminal::ask(const std::string& question, int interrupt) {
  io::write_all(terminal_.get(), question);
  auto line = read_line(interrupt);
  if (!line || !echo_) io::write_all(terminal_.get(), "\n");
  return line;
}

std::optional<std::string> AskingTerminal::read_line(int interrupt) {
  for (;;) {
    if (auto line = lines_.pop()) return line;
    await::On typed(terminal_.get()), interrupted(interrupt);
    await::any(Deadline::never(), typed, interrupted);
    if (interrupted) return std::nullopt;
    if (typed && !lines_.fill(terminal_.get())) return std::nullopt;
  }
}
