#include "raw_terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "base/failure.h"

Terminal::Terminal(int fd) : fd_(fd), is_terminal_(::isatty(fd) == 1) {}

Terminal::~Terminal() {
  if (raw_) ::tcsetattr(fd_, TCSADRAIN, &saved_);
}

upstream::WindowSize Terminal::size() const {
  winsize size{};
  if (::ioctl(fd_, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {size.ws_col, size.ws_row};
}

void Terminal::make_raw() {
  if (!is_terminal_ || raw_) return;
  if (::tcgetattr(fd_, &saved_) != 0) tool::fail_errno(tool::io, "tcgetattr");
  termios raw = saved_;
  ::cfmakeraw(&raw);
  if (::tcsetattr(fd_, TCSADRAIN, &raw) != 0) tool::fail_errno(tool::io, "tcsetattr");
  raw_ = true;
}
