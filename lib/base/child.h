// base/child: runs one program by absolute path and argv, never through a shell.
#pragma once

#include <sys/types.h>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"

namespace child {

// The account to run as: with its primary group, no other group, no capability, and no way to more rights
// (PR_SET_NO_NEW_PRIVS). It is process 1 of a PID namespace of its own where we may make one (CAP_SYS_ADMIN): no
// other process of its account can be reached from there. Only SIGKILL and signals that it handles end it.
struct Identity {
  uid_t uid;
  gid_t gid;
};

struct Program {
  std::vector<std::string> argv;             // argv[0] is the absolute path
  std::vector<std::string> environment;      // "NAME=value"; nothing else is inherited
  std::vector<std::pair<int, int>> mapping;  // {ours, theirs}; 0, 1, 2 not named here are inherited
  std::optional<Identity> identity = {};     // absent: our own, with the descriptors that we were started with
  std::vector<int> ignored = {};  // signals to ignore, as under nohup(1); the others have their default action
  bool outlives_us = false;       // in a session (setsid(2)) of its own; otherwise it is killed when we die
  std::chrono::milliseconds start_within{10'000};  // otherwise it is killed: its account may stop it before it begins
};

// How a program ended: its exit status, or 128 + the signal's number.
int status_of(int wait_status);
// "status 3", or why it was killed.
std::string describe(int status);

// A running child. The destructor kills it (SIGKILL) and waits for it, for 3 s: we may not kill it if sudo has become
// it, and the kernel may not let it go.
class Child {
 public:
  Child() = default;
  explicit Child(pid_t pid);
  Child(Child&&) noexcept;
  Child& operator=(Child&&) noexcept;
  ~Child();

  pid_t pid() const { return pid_; }
  explicit operator bool() const { return pid_ > 0; }
  // Readable (poll) once the program has ended.
  int pidfd() const { return pidfd_.get(); }
  void signal(int number) const;
  // Waits; returns status_of.
  int wait();
  // Waits likewise; absent: it has not ended by then, and goes on.
  std::optional<int> wait_at_most(std::chrono::milliseconds patience);
  // Waits likewise, but kills it when `patience` is over, and counts it as killed 3 s later.
  int wait_for(std::chrono::milliseconds patience);
  // Kills it if it is still running, and waits.
  void end();
  // Lets it go on by itself; nobody waits for it.
  void release();

 private:
  bool is_over(std::chrono::milliseconds patience) const;

  pid_t pid_ = -1;
  Fd pidfd_;
};

// Starts `program`. Failure{71} also when it cannot assume its identity, or exec fails.
Child spawn(const Program& program);

// Replaces this process. It never returns; Failure{71}.
[[noreturn]] void replace(const Program& program);

struct Output {
  int status;       // as status_of
  std::string out;  // stdout
  std::string err;  // stderr, without the newlines at its end
};

// Feeds `input` to `program`, collects both outputs (each at most `limit`
// bytes, Failure{65} beyond), and kills it after `seconds` (Failure{75}).
Output run(const Program& program, const std::string& input, std::size_t limit, int seconds);

}  // namespace child
