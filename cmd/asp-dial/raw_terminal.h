// raw_terminal: the local terminal, when stdin is one, while a remote one stands
// behind it: raw, so that every key goes upstream as it is.
#pragma once

#include <termios.h>

#include "ssh/upstream.h"

class Terminal {
 public:
  // Whether `fd` is a terminal; nothing is changed yet.
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
