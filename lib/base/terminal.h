// base/terminal: asks the person at /dev/tty, also for something that must not be shown. See termios(3).
#pragma once

#include <termios.h>

#include <cstddef>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/io.h"

// A terminal, without echo where nothing is to be seen, until it is destroyed. ^Z is off, since it would leave the
// terminal that way.
class AskingTerminal {
 public:
  enum class Echo { off, on };
  // Accepts lines of at most `longest` bytes. is_there() is false without a terminal.
  explicit AskingTerminal(std::size_t longest, Echo echo = Echo::off);
  AskingTerminal(const AskingTerminal&) = delete;
  AskingTerminal& operator=(const AskingTerminal&) = delete;
  ~AskingTerminal();

  bool is_there() const { return static_cast<bool>(terminal_); }
  // The answer typed to `question`, without its newline. Absent: at the end of input, or when `interrupt`
  // became readable. Failure{71}; {65}: it is too long.
  std::optional<std::string> ask(const std::string& question, int interrupt);

 private:
  std::optional<std::string> read_line(int interrupt);

  Fd terminal_;
  termios saved_{};
  io::LineBuffer lines_;
  bool echo_;
};
