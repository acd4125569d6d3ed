// base/confine: what a process may do for the rest of its life. Nothing of it can be taken back, and all that it
// runs from here on is bound by it, too.
//
//   confine::keep_capabilities(phase.capabilities);
//   confine::forbid_dangerous();
//
// The phases of each program are in confine_phases.h. A forbidden system call ends the process by SIGSYS: the
// kernel's log names it (type=1326), and whoever waits for the process says so in ours. So a call that a
// list forgot is seen at once, and is not an error that somebody handles.
//
// With AddressSanitizer neither system calls nor files are confined: kConfines in confine.cc.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace confine {

// Keeps these capabilities (CAP_KILL and so on), as far as we have them, and no other: effective, permitted and
// bounding; none is inheritable or ambient. No program that is run gives more (PR_SET_NO_NEW_PRIVS).
// Failure{71}.
void keep_capabilities(std::span<const int> kept);

// Forbids the system calls by which one process reaches into another, or into the kernel, and those that make
// namespaces, but for that of process numbers: for programs that run others. Failure{71}.
void forbid_dangerous();
// Has them fail (EPERM): for programs that are not ours.
void refuse_dangerous();

// Forbids all system calls but these. To open a file fails (EACCES) where it is not among them: libraries look
// for files that they can do without. Names that the kernel or libseccomp does not know are skipped. `kill` is
// for process `victim` only, `socket` for `families` only. Failure{71}.
struct Calls {
  std::span<const char* const> names;
  std::initializer_list<int> families = {};
  pid_t victim = 0;
};
void allow_only(const Calls& calls);

// Lets files be opened for reading below these paths only, /dev/null also for writing, and none be executed, made
// or removed (landlock(7)). Paths that do not exist are skipped. On a kernel without Landlock nothing changes.
void see_only(std::initializer_list<std::string> readable);

// The rights to files below a place. To write is to change, make, move and remove files and directories;
// neither links nor devices are made. To list is to read directories.
enum Right : unsigned { may_read = 1, may_write = 2, may_list = 4, may_run = 8 };
struct Place {
  int fd;  // of a directory or file, O_PATH
  unsigned rights;
};

// True if the kernel can do what stay_in does.
bool has_landlock();

// What it may reach beyond these places.
struct Reach {
  bool tcp = false;               // whoever can be connected to, or connects
  bool abstract_sockets = false;  // processes outside, by Unix sockets without a file
  // Processes outside, by Unix sockets with a file, too, that are connected to as streams: a user's own systemd listens
  // there, and runs whatever it is asked to. So do servers of names; syslog takes datagrams.
  bool unix_streams = false;
  bool events = false;  // hears of names that are made or changed, anywhere: inotify(7), fanotify(7)
};

// From here on, this process and the programs that it runs can open, run, make and remove files only below `places`.
// They can reach only what `reach` names, and cannot signal processes outside, as far as the kernel can prevent that.
// They cannot get more rights by running a program. Where they may not write, they cannot change mode, owner, time or
// attributes either.
// Failure{71} also on a kernel without Landlock.
void stay_in(const std::vector<Place>& places, const Reach& reach);

}  // namespace confine
