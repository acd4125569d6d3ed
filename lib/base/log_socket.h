// base/log_socket: lines to the syslog daemon as syslog(3) sends them, over /dev/log, in facility local2 (RFC 3164,
// 4.1, in local time and without a host name).
//
//   <149>Nov 30 23:31:16 asp-reap[4711]: LOG Reaped the flow between 198.51.100.10:5001 and 203.0.113.10:33001
//
// syslog(3) itself waits for a daemon that hangs, for ever, as soon as the socket's queue is full.
#pragma once

#include <chrono>
#include <ctime>
#include <mutex>
#include <string>

#include "base/deadline.h"
#include "base/fd.h"

namespace log_socket {

// `priority` as syslog(3) has it, without a facility. `text` has no control characters.
std::string line(int priority, std::time_t when, const std::string& ident, const std::string& text);

// A line waits this long for room. After one that waited in vain, lines do not wait until one is accepted again.
constexpr std::chrono::milliseconds kPatience{2000};

enum class Daemon { absent, hangs, listens };

class Socket {
 public:
  explicit Socket(std::string path = "/dev/log") : path_(std::move(path)) {}

  // Sends that line, or loses it: when nobody listens, as syslog(3) does, and when there is no room. How many were
  // lost for want of room is said in front of the next one that is taken. For any thread.
  void send(int priority, std::time_t when, const std::string& ident, const std::string& text);

  // Sends `line`, and looks whether the daemon takes it out of the queue until `patience` is over.
  Daemon try_out(const std::string& line, std::chrono::milliseconds patience);

 private:
  enum class Sent { yes, no_room, nobody };
  bool connect();
  Sent deliver(const std::string& line, const Deadline& deadline);
  Sent put(const std::string& line, const Deadline& deadline);

  const std::string path_;
  std::mutex mutex_;
  Fd socket_;
  bool stream_ = false;
  unsigned lost_ = 0;  // since the last line that was taken
};

}  // namespace log_socket
