#include "base/pidfd.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "base/await.h"
#include "base/failure.h"

namespace pidfd {

// Debian 12's <sys/pidfd.h> does not declare its functions extern "C".
Fd find(pid_t pid) { return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

Fd open(pid_t pid) {
  Fd process = find(pid);
  if (!process) tool::fail_errno(tool::os, "pidfd_open");
  return process;
}

bool signal(const Fd& process, int number) {
  return ::syscall(SYS_pidfd_send_signal, process.get(), number, nullptr, 0) == 0;
}

bool ended(const Fd& process, const Deadline& deadline) { return await::readable(process.get(), deadline); }

}  // namespace pidfd
