#include "privilege.h"

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

namespace privilege {

void leave_limits() {
  ::umask(077);
  if (::chdir("/") != 0) tool::fail_errno(tool::os, "chdir /");
  for (const int number : {SIGXCPU, SIGXFSZ}) ::signal(number, SIG_IGN);
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  for (const auto resource : {RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_AS, RLIMIT_DATA}) ::setrlimit(resource, &unlimited);
  const sched_param normal{};
  ::sched_setscheduler(0, SCHED_OTHER, &normal);
  ::setpriority(PRIO_PROCESS, 0, 0);
}

void ignore_terminal() {
  for (const int number : {SIGTSTP, SIGTTIN, SIGTTOU, SIGQUIT}) ::signal(number, SIG_IGN);
}

}  // namespace privilege
