// reach: whether a name has addresses, and whether SSH answers there.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/address.h"

namespace asp_cp::reach {

struct Name {
  std::vector<IpAddress> addresses;  // in the order in which ssh(1) tries them; at most eight
  std::string error;                 // why there is none
  bool no_answer = false;            // no name server could say anything
};
Name look_up(const std::string& host);

// What became of a connection: what answers introduces itself by a line (RFC 4253, 4.2).
enum class Tcp { ssh, other, closed, refused, unreachable, silent };
struct Answer {
  IpAddress ip;
  Tcp tcp = Tcp::silent;
  std::string banner;  // "SSH-2.0-OpenSSH_9.2p1 Debian-2"; of `other`: what it says instead
  std::chrono::milliseconds took{0};
};
Answer knock_at(const Endpoint& place);

}  // namespace asp_cp::reach
