#include "processes.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <thread>
#include <vector>

#include <fmt/core.h>

#include "base/child.h"
#include "base/deadline.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/pidfd.h"
#include "base/process.h"

namespace processes {
namespace {

using namespace std::chrono_literals;

constexpr auto kTermTime = 3s;  // after SIGTERM
constexpr auto kEndTime = 10s;
constexpr auto kRetryPause = 20ms;
constexpr auto kSweepTime = 1s;

enum class Whose { others, theirs, of_container };

bool are_same(const struct stat& one, const struct stat& other) {
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

// One that is about to end has no root directory any more: false.
bool has_other_root(pid_t pid) {
  struct stat other {};
  struct stat own {};
  return ::stat(fmt::format("/proc/{}/root", pid).c_str(), &other) == 0 && ::stat("/", &own) == 0 &&
         !are_same(other, own);
}

// True if `uid` made the user namespace of the process, or one around it, below our own.
bool is_in_namespace_of(pid_t pid, uid_t uid) {
  struct stat own {};
  if (::stat("/proc/self/ns/user", &own) != 0) tool::fail_errno(tool::os, "stat /proc/self/ns/user");
  for (Fd space(::open(fmt::format("/proc/{}/ns/user", pid).c_str(), O_RDONLY | O_CLOEXEC)); space;
       space = Fd(::ioctl(space.get(), NS_GET_PARENT))) {
    struct stat status {};
    uid_t owner = 0;
    if (::fstat(space.get(), &status) != 0 || are_same(status, own)) return false;
    if (::ioctl(space.get(), NS_GET_OWNER_UID, &owner) == 0 && owner == uid) return true;
  }
  return false;
}

// One that has ended, and that nobody has waited for yet. The first thread may end before the others do: then each of
// them is a link of the folder "task" still, besides "." and "..".
bool is_dead(const process::Process& process) {
  struct stat tasks {};
  if (process.state != 'Z') return false;
  return ::stat(fmt::format("/proc/{}/task", process.pid).c_str(), &tasks) != 0 || tasks.st_nlink <= 3;
}

Whose whose(pid_t pid, uid_t uid) {
  if (is_in_namespace_of(pid, uid)) return Whose::theirs;
  const auto found = process::find(pid);
  if (!found || !found->is_of(uid) || is_dead(*found)) return Whose::others;
  return has_other_root(pid) ? Whose::of_container : Whose::theirs;
}

struct Found {
  std::vector<pid_t> theirs;
  std::vector<pid_t> of_container;
};

Found survey(uid_t uid) {
  Found found;
  for (const pid_t pid : process::all()) {
    if (pid <= 1) continue;
    const Whose answer = whose(pid, uid);
    if (answer == Whose::theirs) found.theirs.push_back(pid);
    if (answer == Whose::of_container) found.of_container.push_back(pid);
  }
  return found;
}

// The pidfd keeps the number from going to another process between the check and the signal.
void signal_each(const Found& found, uid_t uid, int number) {
  for (const pid_t pid : found.theirs) {
    const Fd held = pidfd::find(pid);
    if (held && whose(pid, uid) == Whose::theirs) pidfd::signal(held, number);
  }
}

// All at once, for those that fork faster than they are found. The kernel does it, for a process that may signal the
// user's processes and no others; they may not signal it, as its real and its saved user id are nobody's.
void kill_at_once(uid_t uid) {
  constexpr uid_t kNobodys = static_cast<uid_t>(-2);
  const pid_t pid = ::fork();
  if (pid < 0) tool::fail_errno(tool::os, "fork");
  if (pid == 0) {
    // In a user namespace of our own there may be no such number.
    if (::setresuid(kNobodys, uid, kNobodys) == 0 || ::setresuid(uid, uid, uid) == 0) ::kill(-1, SIGKILL);
    ::_exit(0);
  }
  child::Child(pid).wait_for(kSweepTime);
}

std::string name_of(pid_t pid) {
  const Fd file(::open(fmt::format("/proc/{}/comm", pid).c_str(), O_RDONLY | O_CLOEXEC));
  std::string name = file ? io::read_all(file.get(), 64, "comm") : "";
  if (!name.empty() && name.back() == '\n') name.pop_back();
  return logging::escape(name);
}

std::string told(const Found& left) {
  const auto shown = [](pid_t pid) { return fmt::format("process {} ({})", pid, name_of(pid)); };
  if (!left.theirs.empty()) return shown(left.theirs.front()) + " does not end";
  return shown(left.of_container.front()) +
         ", which has the account's uid, is in a container or chroot that root made: end it there, and run this again";
}

}  // namespace

std::optional<std::string> end_all_of(uid_t uid) {
  const auto term = Deadline::in(kTermTime);
  const auto end = Deadline::in(kEndTime);
  Found found = survey(uid);
  signal_each(found, uid, SIGTERM);
  for (;;) {
    if (term.over()) signal_each(found, uid, SIGKILL);
    if (found.of_container.empty() && (term.over() || found.theirs.empty())) {
      kill_at_once(uid);
      found = survey(uid);
    }
    if (found.theirs.empty() || end.over()) break;
    std::this_thread::sleep_for(kRetryPause);
    found = survey(uid);
  }
  if (found.theirs.empty() && found.of_container.empty()) return std::nullopt;
  return told(found);
}

}  // namespace processes
