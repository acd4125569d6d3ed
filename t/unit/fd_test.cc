#include "base/fd.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "base/failure.h"

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

// A file that others lock.
class Lockable {
 public:
  Lockable() { ::close(::mkstemp(path_.data())); }
  ~Lockable() { ::unlink(path_.c_str()); }
  const std::string& path() const { return path_; }
  Fd open() const { return fd::open(path_, O_RDWR); }

 private:
  std::string path_ = "/tmp/fd_test.XXXXXX";
};

// A process that does that, and ends with 0, or with the code of its failure.
template <typename Work>
pid_t other(Work work) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  try {
    work();
  } catch (const tool::Failure& failure) {
    ::_exit(failure.code());
  }
  ::_exit(0);
}

int status_of(pid_t child) {
  int status = -1;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// Returns once it has the lock.
pid_t holder(const Lockable& file, std::chrono::milliseconds time) {
  const auto ready = fd::pipe();
  const pid_t child = other([&] {
    const Fd lock = file.open();
    fd::lock(lock.get(), file.path());
    if (::write(ready.write.get(), "x", 1) == 1) std::this_thread::sleep_for(time);
  });
  char byte = 0;
  REQUIRE(::read(ready.read.get(), &byte, 1) == 1);
  return child;
}

}  // namespace

TEST_CASE("lock: who waits is woken, and does not look again and again") {
  const Lockable file;
  const pid_t child = holder(file, 1s);
  const Fd lock = file.open();
  rusage before{}, after{};
  ::getrusage(RUSAGE_THREAD, &before);
  fd::lock(lock.get(), file.path());
  ::getrusage(RUSAGE_THREAD, &after);
  CHECK(after.ru_nvcsw - before.ru_nvcsw < 50);
  CHECK(::flock(file.open().get(), LOCK_EX | LOCK_NB) != 0);
  CHECK(status_of(child) == 0);
}

TEST_CASE("lock: it is waited for until the deadline, and who has it is named") {
  const Lockable file;
  const pid_t child = holder(file, 60s);
  const Fd lock = file.open();
  const auto start = Clock::now();
  std::string why;
  try {
    fd::lock(lock.get(), file.path(), Deadline::in(1s));
  } catch (const tool::Failure& failure) {
    CHECK(failure.code() == tool::temporary);
    why = failure.what();
  }
  CHECK(Clock::now() - start >= 1s);
  CHECK(why.find("still locked by process " + std::to_string(child)) != why.npos);
  CHECK_THROWS_AS(fd::lock(lock.get(), file.path(), Deadline::now()), tool::Failure);
  ::kill(child, SIGKILL);
  status_of(child);
}

TEST_CASE("lock: in a line that moves many wait longer than for one") {
  const Lockable file;
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    children.push_back(other([&] {
      const Fd lock = file.open();
      fd::lock_in_line(lock.get(), file.path(), 2s, 60s);
      std::this_thread::sleep_for(500ms);
    }));
  }
  const auto start = Clock::now();
  for (const pid_t child : children) CHECK(status_of(child) == 0);
  CHECK(Clock::now() - start > 2s);
}

TEST_CASE("lock: a line has its limits, for one and in all") {
  const Lockable file;
  const auto waits = [&](std::chrono::milliseconds each, std::chrono::milliseconds in_all) {
    const Fd lock = file.open();
    const auto start = Clock::now();
    CHECK_THROWS_AS(fd::lock_in_line(lock.get(), file.path(), each, in_all), tool::Failure);
    return Clock::now() - start;
  };
  const pid_t child = holder(file, 60s);
  CHECK(waits(1s, 60s) >= 1s);
  CHECK(waits(60s, 1s) >= 1s);
  ::kill(child, SIGKILL);
  status_of(child);
}
