// who/caller: who asks a privileged helper to act, according to the kernel.
//
// Nothing that the caller says is believed. sudo tells the uid (base/privilege.h); the process
// tree and the socket table tell where that user is logged in from:
//
//   asp-pinhole ◀ sudo ◀ ascp_rproxy ◀ sshd (user) ◀ sshd (root)
//                         └ session     └ holds the client's TCP connection,
//                           process       which root accepted (sk uid 0)
//
// A socket that a user opens bears the user's own uid in the kernel, so no user
// can pretend to come from elsewhere.
//
// find() asks for nothing that the caller says, so it comes before anything is read. verify() holds the
// request against it. Vigil looks again for as long as the session lives.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/address.h"
#include "base/deadline.h"
#include "base/fd.h"
#include "base/process.h"

namespace caller {

struct Caller {
  uid_t uid = 0;
  std::string user;
  process::Process process;            // that sshd started for this session
  process::Process holder;             // that holds the client's connection
  Fd state;                            // its /proc/PID/stat: no right is needed to read on
  Fd session;                          // pidfd of `process`: readable (poll) once it is dead
  Fd connection;                       // pidfd of `holder`
  Fd monitor;                          // pidfd of its parent, sshd's privileged process for this session
  std::vector<std::uint32_t> sockets;  // inodes of the TCP sockets of root's that `holder` has
  Endpoint client, proxy;              // the ends of the client's connection, and which socket it is; by verify()
  std::uint32_t socket = 0;
  unsigned interface = 0;  // that the socket is bound to; 0: none
};

// Failure{77} unless an ancestor of this process, running as `uid`, has a TCP socket of root's, and a
// parent of root's.
Caller find(uid_t uid);

// Failure{77} unless one of the caller's sockets is an established TCP connection from `client` to `proxy`
// that root accepted.
void verify(Caller& caller, const Endpoint& client, const Endpoint& proxy);

// True if root's asperaproxy is above this process: the doctor tries what a session of that user would do.
bool is_doctor();

// Looks every 15 s whether the caller is still logged in. Pidfds do not tell all: a user can stop their own
// sshd process, which then does not notice that the client has gone.
class Vigil {
 public:
  explicit Vigil(const Caller& caller) : caller_(caller) {}  // `caller` must outlive this

  // The time of the next look.
  const Deadline& due() const { return due_; }
  // Looks when it is due. Empty: all is well. Otherwise the reason: "SSH connection's process is stopped",
  // "SSH connection is closed". Failure{71}.
  std::string look();

 private:
  const Caller& caller_;
  Deadline due_ = next();

  static Deadline next();
};

// The reasons of Vigil for the session of sshd whose process is `pid`, for those who are no part of it. Empty
// also when there is no such process: its own helpers see that.
std::string desertion_of(pid_t pid, const Endpoint& client, const Endpoint& proxy);

// On a descriptor of somebody else's our words could be taken for root's. stdin and stdout must be pipes,
// terminals, /dev/null, or ends of a Unix stream socket whose other end is of `uid`, too; Failure{77}. A
// file could make us wait for ever. Those that are not, and such a stderr, are /dev/null afterwards.
void require_own_descriptors(uid_t uid);

}  // namespace caller
