// base/privilege: the user for whom sudo runs a program as root, and freeing the program from that
// user's surroundings before it does anything else.
#pragma once

#include <sys/types.h>

#include <initializer_list>

namespace privilege {

// The uid that sudo vouches for. Failure{77} when not run by sudo as root.
uid_t sudo_uid();

// Sets anew whatever a parent can hand down by fork(2) and execve(2) without rights of its own: it must
// neither kill nor starve, delay or silence us, least of all while we hold a lock. Failure{71}.
//
//   who       real and saved uid and gid, other groups: root's
//   files     umask 077, directory /
//   signals   pending ones are dropped, none is blocked, all have their default action, but PIPE, XCPU and
//             XFSZ, which are ignored; no signal when the parent dies
//   timers    none runs (setitimer(2), alarm(2)); 50 us of timer slack
//   limits    all of getrlimit(2): none, but 1024 open files, 8 MiB of stack, and no core
//   share     scheduling policy, priority, utilization clamps and slice; I/O class; all CPUs; memory of all
//             nodes; no more than others the OOM killer's choice
//   process   personality(2), huge pages, merged pages, child subreaper, memory failure policy: the defaults;
//             not dumpable
//
// What is left: the autogroup's nice value (own_session); cgroup and namespaces, which cannot be left, and in which
// sudo works only for whom the host lets in; children, keyrings, the core scheduling cookie, speculation controls,
// PR_SET_MDWE, of which we use nothing. A caller with no_new_privs, a seccomp list, Landlock, securebits or a tracer
// has no sudo.
void leave_limits();

// Closes all descriptors but 0 to 2, and clears the environment but for `variables`, which env::get()
// (base/env.h) finds harmless: TZ would set the time in our lines of the log.
void keep_only(std::initializer_list<const char*> variables);

// A session (setsid(2)) of our own, without the caller's terminal and autogroup (sched(7)).
void own_session();

// Keys typed on the caller's terminal must not stop or kill us.
void ignore_terminal();

}  // namespace privilege
