// base/terminal: the person at /dev/tty, asked for what nobody is to see. See
// termios(3).
#pragma once

#include <termios.h>

#include <cstddef>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/io.h"

// A terminal that shows nothing of what is typed, until it is destroyed; ^Z, which
// would leave it so, is off.
class UnseenTerminal {
 public:
  // Lines of at most `longest` bytes. is_there(): false when we have none.
  explicit UnseenTerminal(std::size_t longest);
  UnseenTerminal(const UnseenTerminal&) = delete;
  UnseenTerminal& operator=(const UnseenTerminal&) = delete;
  ~UnseenTerminal();

  bool is_there() const { return static_cast<bool>(terminal_); }
  // What is typed in answer to `question`, without its newline. Absent: at its
  // end, or when `interrupt` became readable. Failure{71}; {65}: it is too long.
  std::optional<std::string> ask(const std::string& question, int interrupt);

 private:
  std::optional<std::string> read_line(int interrupt);

  Fd terminal_;
  termios saved_{};
  io::LineBuffer lines_;
};
