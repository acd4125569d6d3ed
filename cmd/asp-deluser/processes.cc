#include "processes.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>

#include <fmt/core.h>

#include "base/deadline.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/pidfd.h"

namespace processes {
namespace {

using namespace std::chrono_literals;

constexpr auto kTermTime = 3s;  // after SIGTERM
constexpr auto kEndTime = 10s;
constexpr auto kRetryPause = 20ms;

// Compares real, effective, saved and file system uid; proc(5). The files in /proc of a process that
// changed its rights belong to root, so their owner is no help.
bool is_of(pid_t pid, uid_t uid) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(status, line);) {
    std::istringstream words(line);
    std::string name;
    if (!(words >> name) || name != "Uid:") continue;
    for (uid_t one = 0; words >> one;) {
      if (one == uid) return true;
    }
    return false;
  }
  return false;
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
  const std::unique_ptr<DIR, int (*)(DIR*)> all(::opendir("/proc"), ::closedir);
  if (!all) tool::fail_errno(tool::os, "open /proc");
  int count = 0;
  while (const dirent* entry = ::readdir(all.get())) {
    const pid_t pid = std::atoi(entry->d_name);
    if (pid > 1 && is_of(pid, uid) && signal_if_of(pid, uid, number)) ++count;
  }
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
