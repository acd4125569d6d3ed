// base/process: processes as proc(5) shows them.
//
//   /proc/4711/stat     4711 (a name with ) in it) S 4710 ...
//   /proc/4711/status   Uid: real effective saved file system
//
// A number may be another process a moment later: hold() tells.
#pragma once

#include <sys/types.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace process {

struct Process {
  pid_t pid = 0;
  pid_t parent = 0;
  char state = 0;                  // R, S, D, T (stopped), t (traced), Z and so on
  unsigned long long started = 0;  // clock ticks since boot
  std::array<uid_t, 4> uids{};     // real, effective, saved, file system

  uid_t real_uid() const { return uids[0]; }
  // True if any of the four is `uid`. The owner of its files in /proc says less: they are root's once it has
  // changed its rights.
  bool is_of(uid_t uid) const;
  // "PID.START" names this process and no later one.
  std::string token() const;
};

// Parses /proc/PID/stat and /proc/PID/status. Absent: the text has another form.
std::optional<Process> parse(std::string_view stat, std::string_view status);

// The process of that number. Absent: there is none.
std::optional<Process> find(pid_t pid);
// The same. Failure{71} when there is none.
Process of(pid_t pid);

// A pidfd of exactly this process. Empty: it has ended.
Fd hold(const Process& process);

// The numbers of all that /proc shows. Failure{71}.
std::vector<pid_t> all();

}  // namespace process
