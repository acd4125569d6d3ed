#include <doctest/doctest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

#include "base/child.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "descriptors.h"

namespace {

using child::Program;

Program sh(const std::string& script, std::vector<std::pair<int, int>> mapping = {}) {
  return {{"/bin/sh", "-c", script}, {}, std::move(mapping)};
}

template <typename Act>
int code_of(Act act) {
  try {
    act();
  } catch (const tool::Failure& failure) {
    return failure.code();
  }
  return 0;
}

double seconds_of(auto act) {
  const auto start = std::chrono::steady_clock::now();
  act();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

TEST_CASE("child: a program's exit status is told as it is, a signal as 128 + its number") {
  for (const int status : {0, 1, 3, 64, 127, 255})
    CHECK(child::spawn(sh("exit " + std::to_string(status))).wait() == status);
  for (const int number : {SIGHUP, SIGINT, SIGKILL, SIGTERM, SIGPIPE, SIGSEGV}) {
    CAPTURE(number);
    CHECK(child::spawn(sh("ulimit -c 0; kill -" + std::to_string(number) + " $$; sleep 5")).wait() == 128 + number);
  }
}

TEST_CASE("child: a program that cannot be run is an error of the system, at once") {
  for (const std::string path : {"/nonexistent", "/etc/passwd", "/", "/etc/passwd/x", ""}) {
    CAPTURE(path);
    CHECK(code_of([&] { child::spawn({{path}, {}, {}}); }) == tool::os);
  }
  try {
    child::spawn({{"/nonexistent"}, {}, {}});
  } catch (const tool::Failure& failure) {
    CHECK(std::string(failure.what()) == "run /nonexistent: No such file or directory");
  }
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);  // no zombie stays
}

TEST_CASE("child: a descriptor that is not open cannot be mapped") {
  CHECK(code_of([&] { child::spawn(sh("exit 0", {{999, 3}})); }) == tool::os);
}

TEST_CASE("child: nothing is looked up in PATH and no shell is asked") {
  ::setenv("PATH", "/bin:/usr/bin", 1);
  CHECK(code_of([&] { child::spawn({{"true"}, {"PATH=/bin:/usr/bin"}, {}}); }) == tool::os);
  const auto echoed = child::run({{"/bin/echo", "$(id)", ";", "*", "a b"}, {}, {}}, "", 1000, 5);
  CHECK(echoed.out == "$(id) ; * a b\n");
}

TEST_CASE("child: the environment is exactly what is given") {
  ::setenv("SALLYPORT_SECRET", "1", 1);
  CHECK(child::run({{"/usr/bin/env"}, {"A=1", "B=two words"}, {}}, "", 1000, 5).out == "A=1\nB=two words\n");
  CHECK(child::run({{"/usr/bin/env"}, {}, {}}, "", 1000, 5).out.empty());
  ::unsetenv("SALLYPORT_SECRET");
}

TEST_CASE("child: only descriptors that are mapped are inherited") {
  for (int fd = 3; fd < 256; ++fd) ::fcntl(fd, F_SETFD, FD_CLOEXEC);  // what the tests themselves were started with
  const Fd secret = fd::open("/etc/passwd", O_RDONLY);
  const auto listed = child::run({{"/bin/ls", "/proc/self/fd"}, {}, {{secret.get(), 7}}}, "", 1000, 5);
  CHECK(listed.out == "0\n1\n2\n3\n7\n");  // 3 is ls's own
  CHECK(child::run({{"/bin/ls", "/proc/self/fd"}, {}, {}}, "", 1000, 5).out == "0\n1\n2\n3\n");
}

TEST_CASE("child: mapped descriptors may trade places") {
  auto first = fd::pipe();
  auto second = fd::pipe();
  const int a = first.write.get();
  const int b = second.write.get();
  // Not /bin/sh, which may know numbers of one digit only.
  auto swapped =
      child::spawn({{"/bin/bash", "-c", "echo first >&" + std::to_string(b) + "; echo second >&" + std::to_string(a)},
                    {},
                    {{a, b}, {b, a}}});
  CHECK(swapped.wait() == 0);
  first.write.reset();
  second.write.reset();
  CHECK(io::read_all(first.read.get(), 100, "pipe") == "first\n");
  CHECK(io::read_all(second.read.get(), 100, "pipe") == "second\n");
}

TEST_CASE("child: a descriptor may be mapped onto itself, twice, and to a high number") {
  auto pipe = fd::pipe();
  const int ours = pipe.write.get();
  auto started = child::spawn({{"/bin/bash", "-c", "echo a >&" + std::to_string(ours) + "; echo b >&3; echo c >&200"},
                               {},
                               {{ours, ours}, {ours, 3}, {ours, 200}}});
  CHECK(started.wait() == 0);
  pipe.write.reset();
  CHECK(io::read_all(pipe.read.get(), 100, "pipe") == "a\nb\nc\n");
}

TEST_CASE("child: signals have their default meaning again, and none is blocked") {
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &blocked, &before);
  CHECK(child::spawn(sh("kill -TERM $$; sleep 5")).wait() == 128 + SIGTERM);
  CHECK(child::spawn(sh("kill -PIPE $$; sleep 5")).wait() == 128 + SIGPIPE);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
}

TEST_CASE("child: input is fed and both outputs are collected, however much it is") {
  const std::string input(300000, 'i');
  const auto answer = child::run(sh("cat; echo complaint >&2; exit 3"), input, 400000, 10);
  CHECK(answer.status == 3);
  CHECK(answer.out == input);
  CHECK(answer.err == "complaint");
}

TEST_CASE("child: input that the program does not want is not an error") {
  const auto answer = child::run(sh("exec <&-; echo done"), std::string(300000, 'i'), 1000, 10);
  CHECK(answer.status == 0);
  CHECK(answer.out == "done\n");
}

TEST_CASE("child: output is collected up to the limit, each stream by itself") {
  const auto full = child::run(sh("printf 0123456789; printf 0123456789 >&2"), "", 10, 5);
  CHECK(full.out == "0123456789");
  CHECK(full.err == "0123456789");
  CHECK(code_of([] { child::run(sh("printf 01234567890"), "", 10, 5); }) == tool::bad_input);
  CHECK(code_of([] { child::run(sh("printf 01234567890 >&2"), "", 10, 5); }) == tool::bad_input);
  CHECK(seconds_of([] { code_of([] { child::run({{"/usr/bin/yes"}, {}, {}}, "", 100000, 5); }); }) < 3);
}

TEST_CASE("child: a program that takes too long is killed, and the caller told to try again") {
  auto pipe = fd::pipe();
  CHECK(seconds_of([&] {
          CHECK(code_of([&] {
                  child::run({{"/bin/sleep", "60"}, {}, {{pipe.write.get(), 3}}}, "", 100, 1);
                }) == tool::temporary);
        }) < 3);
  pipe.write.reset();
  CHECK(io::read_all(pipe.read.get(), 1, "pipe").empty());  // EOF: sleep is dead
}

TEST_CASE("child: neither a program that closes its outputs, nor a left-over that holds them, is waited for too long") {
  CHECK(child::run(sh("exec >&- 2>&-; sleep 0.1; exit 5"), "", 100, 5).status == 5);
  CHECK(code_of([] { child::run(sh("exec >&- 2>&-; exec sleep 60"), "", 100, 1); }) == tool::temporary);
}

TEST_CASE("child: a running child is killed and waited for when its object goes") {
  pid_t pid = 0;
  {
    const auto started = child::spawn({{"/bin/sleep", "60"}, {}, {}});
    pid = started.pid();
    CHECK(started);
    CHECK(::kill(pid, 0) == 0);
  }
  CHECK(::kill(pid, 0) == -1);
  auto first = child::spawn({{"/bin/sleep", "60"}, {}, {}});
  pid = first.pid();
  first = child::spawn({{"/bin/sleep", "60"}, {}, {}});
  CHECK(::kill(pid, 0) == -1);
  first.end();
  first.end();
  CHECK_FALSE(first);
}

TEST_CASE("child: the pidfd is readable once the program has ended") {
  auto started = child::spawn({{"/bin/sleep", "60"}, {}, {}});
  pollfd wait{started.pidfd(), POLLIN, 0};
  CHECK(::poll(&wait, 1, 0) == 0);
  started.signal(SIGTERM);
  CHECK(::poll(&wait, 1, 5000) == 1);
  CHECK(started.wait() == 128 + SIGTERM);
  child::Child moved = std::move(started);
  CHECK_FALSE(moved);
}

TEST_CASE("child: another account is assumed while other threads of ours run") {
  if (::geteuid() != 0) return;
  std::atomic<bool> over = false;
  std::thread other([&] {
    while (!over) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  });
  Program program = sh("id -u; id -g; id -G");
  program.identity = child::Identity{65534, 65534};
  program.start_within = std::chrono::seconds(5);
  CHECK(code_of([&] { CHECK(child::run(program, "", 100, 10).out == "65534\n65534\n65534\n"); }) == 0);
  over = true;
  other.join();
}

TEST_CASE("child: nothing stays open in the caller") {
  const Descriptors before;
  child::run(sh("cat"), "x", 100, 5);
  code_of([] { child::spawn({{"/nonexistent"}, {}, {}}); });
  code_of([] { child::run(sh("printf xxx"), "x", 1, 5); });
  CHECK(before.added().empty());
}
