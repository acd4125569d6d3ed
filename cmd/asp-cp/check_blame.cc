#include "check_blame.h"

#include <algorithm>

#include <fmt/core.h>
#include <fmt/ranges.h>

namespace asp_cp {

std::string Scene::admin() const { return "the administrator of " + (for_whom.empty() ? host : for_whom); }

std::string Scene::door_admin() const {
  return for_whom.empty() ? admin() : fmt::format("the administrator of your proxy, or {},", admin());
}

namespace blame {
namespace {

std::string door(const Scene& scene) { return fmt::format("{} port {}", scene.address, scene.to.port); }

std::string let_out(const Scene& scene, const char* what, const std::string& where) {
  return fmt::format("Ask the administrator of your own firewall to let {} out to {}; if it does, ask {} whether it is "
                     "let in there (at {}).",
                     what, where, scene.door_admin(), scene.begun);
}

std::string is_port_right(const Scene& scene, const char* question) {
  return fmt::format("Compare the port with what you were told (-P); if it is right, ask {} {}.", scene.door_admin(),
                     question);
}

StepFailed failed(const char* step, const std::string& says, const std::string& ask,
                  tool::Exit code = tool::unavailable) {
  return {code, {step, says, ask}};
}

StepFailed host_key(const Scene& scene, const SshStory& story) {
  const std::string shown = story.shown_key.empty() ? "none" : story.shown_key;
  const std::string name =
      scene.to.key_name.empty() ? HostPort{scene.to.host, scene.to.port}.known_hosts_text() : scene.to.key_name;
  if (story.host_key == SshStory::HostKey::changed) {
    return failed("host key", fmt::format("{} shows a different host key from before: {}", scene.host, shown),
                  fmt::format("Do not go on. Ask {} whether the key was changed, and compare the fingerprint; if it is "
                              "right: ssh-keygen -R '{}'",
                              scene.admin(), name),
                  tool::untrusted);
  }
  if (story.host_key == SshStory::HostKey::unknown) {
    return failed("host key", fmt::format("the host key of {} is not known here: {}", scene.host, shown),
                  fmt::format("Compare the fingerprint with the one that {} gave you; if it is the same, connect once "
                              "by ssh -p {}, and say yes.",
                              scene.admin(), scene.to.port),
                  tool::untrusted);
  }
  return failed("host key", fmt::format("SSH finds no common ground with {}: {}", scene.host, story.last),
                fmt::format("Ask {} (at {}).", scene.door_admin(), scene.begun));
}

StepFailed login(const Scene& scene, const SshStory& story) {
  const std::string who = scene.user.empty() ? "you" : scene.user;
  const bool denied = story.last.find("Permission denied") != std::string::npos ||
                      story.last.find("Too many authentication failures") != std::string::npos;
  const std::string says = fmt::format("{} does not let {} in: {}", scene.host, who, story.last);
  if (!denied)
    return failed("log-in", says, fmt::format("Ask {} (at {}).", scene.admin(), scene.begun), tool::not_permitted);
  if (story.offered.empty())
    return failed("log-in", says,
                  fmt::format("ssh had no key to offer: name yours with -i, or ask {} how to log in.", scene.admin()),
                  tool::not_permitted);
  return failed("log-in", says,
                fmt::format("Compare the user's name with what you were told; if it is right, ask {} whether this key "
                            "is enrolled for {}: {}",
                            scene.admin(), who, fmt::join(story.offered, ", ")),
                tool::not_permitted);
}

// The proxy, or the server, has said why in one sentence; the exit status tells what kind it is of.
StepFailed behind(const Scene& scene, const SshStory& story, int status) {
  const std::string says =
      story.last.empty() ? fmt::format("the command ended with status {}, without a message", status) : story.last;
  const std::string in_log = fmt::format("whose log says why, at {}", scene.begun);
  switch (status) {
    case tool::unavailable:
      return failed("server", says,
                    fmt::format("Ask {} whether the server behind it is up and can be reached from there ({}).",
                                scene.admin(), in_log));
    case tool::temporary:
      return failed("server", says, fmt::format("Try again later; if it stays so, ask {}, {}.", scene.admin(), in_log),
                    tool::temporary);
    case tool::untrusted:
      return failed("server", says,
                    fmt::format("Ask {} to look at the host key of the server behind it ({}).", scene.admin(), in_log),
                    tool::untrusted);
    case tool::not_permitted:
      return failed(
          "server", says,
          fmt::format("Ask {} to let your account in, and to permit asp-cp to it ({}).", scene.admin(), in_log),
          tool::not_permitted);
    case tool::config: return failed("server", says, fmt::format("Ask {}, {}.", scene.admin(), in_log), tool::config);
    case 127:
      return failed("server", "there is no asp-cp on the server",
                    fmt::format("Ask {} to install it there.", scene.admin()));
    case 255:
      return failed("server", "the connection was lost",
                    fmt::format("Try again; if it stays so, ask {}, {}.", scene.door_admin(), in_log));
    default: return failed("server", says, fmt::format("Ask {}, {}.", scene.admin(), in_log));
  }
}

// Whether a kernel has been told that this is the largest packet of the way.
bool told(std::uint64_t largest, std::uint64_t mtu, bool v4) {
  const std::uint64_t headers = v4 ? 28 : 48;
  return mtu != 0 && mtu < largest + headers + 4;
}

}  // namespace

StepFailed name(const Scene& scene, const reach::Name& found) {
  const std::string says = fmt::format("{}: {}", scene.to.host, found.error);
  if (found.no_answer)
    return failed("name", says, "Ask the administrator of your own network: no name server answers here.");
  return failed("name", says,
                fmt::format("Compare the name with what you were told; if it is right, ask {}.", scene.admin()));
}

StepFailed tcp(const Scene& scene, const reach::Answer& answer) {
  const std::string at = door(scene);
  switch (answer.tcp) {
    case reach::Tcp::refused:
      return failed("TCP", at + " refuses the connection", is_port_right(scene, "whether SSH listens there"));
    case reach::Tcp::unreachable: return failed("TCP", at + " cannot be reached from here", let_out(scene, "TCP", at));
    case reach::Tcp::closed:
      return failed("TCP", at + " takes the connection and closes it at once",
                    fmt::format("Try again in some minutes; if it stays so, ask {} whether your address is locked out "
                                "there, or too many log in at once (at {}).",
                                scene.door_admin(), scene.begun));
    case reach::Tcp::other:
      return failed("TCP", fmt::format("{} answers, but not as SSH: {}", at, answer.banner),
                    is_port_right(scene, "what answers there"));
    default: return failed("TCP", at + " does not answer", let_out(scene, "TCP", at));
  }
}

StepFailed ssh(const Scene& scene, const SshStory& story, std::optional<int> status) {
  if (story.logged_in) {
    if (status) return behind(scene, story, *status);
    return failed("server", "no answer comes", fmt::format("Ask {} (at {}).", scene.admin(), scene.begun));
  }
  if (story.host_key == SshStory::HostKey::accepted) return login(scene, story);
  return host_key(scene, story);
}

StepFailed server(const Scene& scene, const tool::Failure& complaint) {
  const std::string why = complaint.what();
  if (complaint.code() == tool::bad_input && why.find("direction") != why.npos)
    return failed("server", "the server's asp-cp is too old for --check",
                  fmt::format("Ask {} to have it updated; a transfer may work all the same.", scene.admin()));
  return failed("server", why, fmt::format("Ask {} (at {}).", scene.admin(), scene.begun), complaint.code());
}

StepFailed udp_there(const Scene& scene) {
  const std::string where = fmt::format("{} port {}", scene.address, scene.udp_port);
  return failed("UDP there", fmt::format("no datagram to {} reaches the server", where), let_out(scene, "UDP", where));
}

StepFailed udp_back(const Scene& scene) {
  return failed(
      "UDP back", "the server gets our datagrams, but its own do not arrive here",
      fmt::format("Ask the administrator of your own firewall to let the answers in from {} port {}; if it does, "
                  "ask {} whether they are let out there (at {}).",
                  scene.address, scene.udp_port, scene.door_admin(), scene.begun));
}

StepFailed link(const Scene& scene, const std::string& why) {
  return failed("speed", "datagrams pass, but no UDP connection can be made: " + why,
                fmt::format("Ask {} (at {}).", scene.door_admin(), scene.begun));
}

Finding sizes(const Scene& scene, const Sizes& sizes, bool& doubtful) {
  const std::uint64_t most = sizes.v4 ? 1472 : 1452;
  const bool lost_there = sizes.there < most && !told(sizes.there, sizes.told_here, sizes.v4);
  // None larger than those that came there was tried on the way back.
  const bool lost_back = sizes.back < sizes.there && !told(sizes.back, sizes.told_there, sizes.v4);
  const std::uint64_t least = std::min(sizes.there, sizes.back);
  doubtful = lost_there || lost_back;
  Finding found{"datagrams", fmt::format("up to {} bytes there, {} back", sizes.there, sizes.back)};
  if (!doubtful) {
    if (least < most) found.says += ", and the network tells whoever sends larger ones";
    return found;
  }
  found.says += "; larger ones vanish, and no router says so";
  found.ask = fmt::format("Have the transfer program send none larger than that (ascp -Z {}), and ask {}{} to let ICMP "
                          "\"{}\" pass.",
                          least, lost_there ? "the administrator of your own firewall, and then " : "",
                          scene.door_admin(), sizes.v4 ? "fragmentation needed" : "packet too big");
  return found;
}

std::string speed_text(const Got& got) {
  const double bits = got.us == 0 ? 0 : static_cast<double>(got.bytes) * 8 / static_cast<double>(got.us);
  return bits < 10 ? fmt::format("{:.1f} Mbit/s", bits) : fmt::format("{:.0f} Mbit/s", bits);
}

StepFailed speed(const Scene& scene, const std::string& which, const Sent& sent, const Got& got) {
  return failed("speed", fmt::format("{}: the burst stopped after {} of {} bytes", which, got.bytes, sent.bytes),
                fmt::format("Small datagrams pass, and large or many ones do not: ask the administrator of your own "
                            "firewall whether it drops parts of datagrams (fragments) or limits UDP, and then {}.",
                            scene.door_admin()));
}

}  // namespace blame
}  // namespace asp_cp
