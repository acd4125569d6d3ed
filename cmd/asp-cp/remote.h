// remote: the ssh(1) that carries the control channel to the server.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "arguments.h"
#include "base/child.h"
#include "base/fd.h"
#include "base/io.h"

namespace asp_cp {

class Remote {
 public:
  // Starts `ssh ... host PROGRAM`. ssh asks for passwords and host keys on
  // the terminal by itself, and reads the user's own configuration.
  explicit Remote(const Command& command, const std::vector<std::string>& program = {"asp-cp", "-S"});

  int input() const { return from_.get(); }
  int output() const { return to_.get(); }
  int messages() const { return errors_.get(); }

  // Passes on the messages of ssh or the remote shell, line by line, with everything unprintable escaped.
  // `before` is called ahead of a line. False once there will be no more.
  bool show_messages(const std::function<void()>& before);

  // True if ssh's message would be the same next time: a key or a name is wrong.
  bool hopeless() const { return hopeless_; }

  // No more will be written to output().
  void close_output() { to_.reset(); }

  // After the control channel closed: waits for ssh and shows its last messages. Returns ssh's exit status:
  // the server's, 255 for ssh's own failure, 128+n.
  int end(std::chrono::milliseconds patience);

 private:
  Fd to_;
  Fd from_;
  Fd errors_;
  io::LineBuffer lines_;
  bool hopeless_ = false;
  child::Child ssh_;
};

// The name or address that ssh would connect to (`HostName` of ssh_config).
std::string resolved_host(const Command& command);

}  // namespace asp_cp
