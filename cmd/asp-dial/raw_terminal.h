// raw_terminal: puts the local terminal into raw mode while a remote one is behind it, so that every
// key is sent upstream as it is.
#pragma once

#include <termios.h>

#include "ssh/upstream.h"

class Terminal {
 public:
  // Finds out whether `fd` is a terminal; nothing is changed yet.
  explicit Terminal(int fd);
  Terminal(const Terminal&) = delete;
  // Restores what make_raw() changed.
  ~Terminal();

  explicit operator bool() const { return is_terminal_; }
  upstream::WindowSize size() const;
  void make_raw();

 private:
  int fd_;
  bool is_terminal_;
  bool raw_ = false;
  termios saved_{};
};
