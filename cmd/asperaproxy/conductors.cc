#include "conductors.h"

#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include <fmt/core.h>

#include "base/fd.h"
#include "base/paths.h"
#include "base/pidfd.h"
#include "base/process.h"

namespace asperaproxy {
namespace {

constexpr std::chrono::seconds kEndTime{5};

struct Process {
  int pid;
  Fd held;
};

std::string link_of(const std::string& path) {
  char target[PATH_MAX];
  const ssize_t length = ::readlink(path.c_str(), target, sizeof target);
  return length < 0 ? "" : std::string(target, static_cast<std::size_t>(length));
}

// After an upgrade the old program runs on without a name.
bool is_conductor(int pid, const std::string& network) {
  static const std::string program = std::string(paths::kLibexec) + "ascp_rproxy";
  const std::string exe = link_of(fmt::format("/proc/{}/exe", pid));
  return (exe == program || exe == program + " (deleted)") && link_of(fmt::format("/proc/{}/ns/net", pid)) == network;
}

// The pidfd is opened first: /proc then describes that very process as long as the pidfd says that it
// lives.
std::vector<Process> find() {
  const std::string network = link_of("/proc/self/ns/net");
  std::vector<Process> found;
  for (const pid_t pid : process::all()) {
    if (!is_conductor(pid, network)) continue;
    Fd held = pidfd::find(pid);
    if (held && is_conductor(pid, network)) found.push_back({pid, std::move(held)});
  }
  return found;
}

}  // namespace

Conducted end_conductors() {
  const auto processes = find();
  Conducted result;
  for (const auto& process : processes) pidfd::signal(process.held, SIGTERM);
  const auto deadline = Deadline::in(kEndTime);
  for (const auto& process : processes) {
    if (pidfd::ended(process.held, deadline)) ++result.ended;
    else result.remain.push_back(fmt::format("session process {} goes on after being told to end", process.pid));
  }
  return result;
}

}  // namespace asperaproxy
