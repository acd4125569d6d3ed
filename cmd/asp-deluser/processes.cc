#include "processes.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>

#include <fmt/core.h>

#include "base/deadline.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/pidfd.h"
#include "base/process.h"

namespace processes {
namespace {

using namespace std::chrono_literals;

constexpr auto kTermTime = 3s;  // after SIGTERM
constexpr auto kEndTime = 10s;
constexpr auto kRetryPause = 20ms;

bool is_of(pid_t pid, uid_t uid) {
  const auto found = process::find(pid);
  return found && found->is_of(uid);
}

bool is_on_this_host(pid_t pid) {
  struct stat other_root {};
  struct stat own_root {};
  if (::stat(fmt::format("/proc/{}/root", pid).c_str(), &other_root) != 0 || ::stat("/", &own_root) != 0) return false;
  return other_root.st_dev == own_root.st_dev && other_root.st_ino == own_root.st_ino;
}

// The pidfd keeps the number from going to another process between the check and the signal.
bool signal_if_of(pid_t pid, uid_t uid, int number) {
  const Fd held = pidfd::find(pid);
  return held && is_of(pid, uid) && is_on_this_host(pid) && pidfd::signal(held, number);
}

int signal_all_of(uid_t uid, int number) {
  int count = 0;
  for (const pid_t pid : process::all())
    if (pid > 1 && is_of(pid, uid) && signal_if_of(pid, uid, number)) ++count;
  return count;
}

}  // namespace

bool end_all_of(uid_t uid) {
  const auto told = Deadline::in(kTermTime);
  const auto killed = Deadline::in(kEndTime);
  if (signal_all_of(uid, SIGTERM) == 0) return true;
  while (!killed.over()) {
    if (signal_all_of(uid, told.over() ? SIGKILL : 0) == 0) return true;
    std::this_thread::sleep_for(kRetryPause);
  }
  return false;
}

}  // namespace processes
