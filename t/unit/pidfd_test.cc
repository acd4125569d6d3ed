#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>

#include "base/failure.h"
#include "base/pidfd.h"

TEST_CASE("pidfd: a process is held, told, and seen to end") {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::pause();
    ::_exit(0);
  }
  const Fd held = pidfd::open(pid);
  CHECK_FALSE(pidfd::ended(held));
  CHECK(pidfd::signal(held, 0));
  CHECK(pidfd::signal(held, SIGKILL));
  CHECK(pidfd::ended(held, Deadline::in(std::chrono::seconds(10))));
  CHECK(::waitpid(pid, nullptr, 0) == pid);
  CHECK(pidfd::ended(held));
  CHECK_FALSE(pidfd::signal(held, 0));
  CHECK(errno == ESRCH);
  CHECK_FALSE(pidfd::find(pid));
  CHECK_THROWS_AS(pidfd::open(pid), tool::Failure);
}

TEST_CASE("pidfd: what is not a number of a process is none") {
  CHECK_FALSE(pidfd::find(0));
  CHECK_FALSE(pidfd::find(-1));
}
