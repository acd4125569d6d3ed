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
#pragma once

#include <string>

#include <sys/types.h>

#include "base/address.h"
#include "base/fd.h"
#include "base/process.h"

namespace caller {

struct Caller {
  uid_t uid = 0;
  std::string user;
  process::Process process;  // that sshd started for this session
  Fd session;                // its pidfd: readable (poll) once it is dead
  Fd connection;             // pidfd of the process that holds the client's connection
  Fd monitor;                // pidfd of its parent, sshd's privileged process for this session
};

// Failure{77} unless an ancestor of this process, running as `uid`, holds an
// established TCP connection from `client` to `proxy` that root accepted.
Caller verify(uid_t uid, const Endpoint& client, const Endpoint& proxy);

}  // namespace caller
