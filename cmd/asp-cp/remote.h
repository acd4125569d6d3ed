// remote: the ssh(1) that carries the control channel to the server.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arguments.h"
#include "base/address.h"
#include "base/child.h"
#include "base/fd.h"
#include "base/io.h"

namespace asp_cp {

// Until the server speaks: logging in may need a person at the keyboard, and a proxy may try several servers.
constexpr std::chrono::seconds kLoginPatience{120};

class Remote {
 public:
  // Starts `ssh OPTIONS... host PROGRAM`. ssh asks for passwords and host keys on
  // the terminal by itself, and reads the user's own configuration.
  explicit Remote(const Command& command, const std::vector<std::string>& program = {"asp-cp", "-S"},
                  const std::vector<std::string>& options = {});

  int input() const { return from_.get(); }
  int output() const { return to_.get(); }
  int messages() const { return errors_.get(); }

  // Passes on the messages of ssh or the remote shell, line by line, with everything unprintable escaped.
  // `before` is called ahead of a line. False once there will be no more.
  bool show_messages(const std::function<void()>& before);

  // Sees each of these lines first; false: it is not shown.
  void listen(std::function<bool(std::string_view line)> listener) { listener_ = std::move(listener); }

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
  std::function<bool(std::string_view)> listener_;
  bool hopeless_ = false;
  child::Child ssh_;
};

// What ssh_config(5) says of the destination.
struct Destination {
  std::string host;  // the name or address that ssh would connect to (HostName)
  Port port = 22;
  std::string key_name;  // HostKeyAlias; mostly empty
  bool by_way = false;   // ssh gets there by ProxyCommand or ProxyJump
};
Destination destination_of(const Command& command);

}  // namespace asp_cp
