// check_blame: what a step's failure means, in plain words, and whom to ask for what. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/address.h"
#include "burst.h"
#include "check_report.h"
#include "reach.h"
#include "remote.h"
#include "ssh_story.h"

namespace asp_cp {

// The user's side and the other side, as a person names them.
struct Scene {
  std::string host;      // as the user named it: the proxy, or a server itself
  std::string user;      // empty: ssh decides
  std::string for_whom;  // through asp-forward(1): the destination, as known_hosts has it; otherwise empty
  Destination to;
  std::string address;  // of `to`
  Port udp_port = 0;
  std::string begun;  // RFC 3339

  std::string admin() const;       // of the host that the log-in is at
  std::string door_admin() const;  // the same, and of a forward proxy on the way
};

namespace blame {

StepFailed name(const Scene& scene, const reach::Name& found);
StepFailed tcp(const Scene& scene, const reach::Answer& answer);
// Why ssh ended, or has brought no answer: `status` as Remote::end has it; absent: no answer in time.
StepFailed ssh(const Scene& scene, const SshStory& story, std::optional<int> status);
// What the server's asp-cp complains of.
StepFailed server(const Scene& scene, const tool::Failure& complaint);
StepFailed udp_there(const Scene& scene);
StepFailed udp_back(const Scene& scene);
StepFailed link(const Scene& scene, const std::string& why);

// The largest datagrams, in bytes of data, and how large a packet each end's kernel holds possible (0: unknown).
struct Sizes {
  std::uint64_t there = 0;
  std::uint64_t back = 0;
  std::uint64_t told_here = 0;
  std::uint64_t told_there = 0;
  bool v4 = true;
};
// `doubtful`: larger ones vanish, and nobody says so.
Finding sizes(const Scene& scene, const Sizes& sizes, bool& doubtful);

std::string speed_text(const Got& got);
StepFailed speed(const Scene& scene, const std::string& which, const Sent& sent, const Got& got);

}  // namespace blame
}  // namespace asp_cp
