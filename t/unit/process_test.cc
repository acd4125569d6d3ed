#include <doctest/doctest.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "base/failure.h"
#include "base/pidfd.h"
#include "base/process.h"

namespace {

// As the kernel writes it, with a command's name that the process chose.
std::string stat_of(const std::string& name) {
  return "4711 (" + name + ") S 4710 4711 4711 0 -1 4194560 95 0 0 0 1 2 0 0 20 0 1 0 81273645 8192 17 0 0\n";
}
constexpr char kStatus[] = "Name:\tbash\nUmask:\t0022\nUid:\t1001\t1002\t1003\t1004\nGid:\t7\t7\t7\t7\n";

}  // namespace

TEST_CASE("process: stat and status are read") {
  const auto found = process::parse(stat_of("bash"), kStatus);
  REQUIRE(found);
  CHECK(found->pid == 4711);
  CHECK(found->parent == 4710);
  CHECK(found->state == 'S');
  CHECK(found->started == 81273645);
  CHECK(found->token() == "4711.81273645");
  CHECK(found->real_uid() == 1001);
  for (const uid_t uid : {1001U, 1002U, 1003U, 1004U}) CHECK(found->is_of(uid));
  CHECK_FALSE(found->is_of(7));
}

// prctl(PR_SET_NAME) takes any bytes, so a user can write what looks like the fields behind it.
TEST_CASE("process: a name cannot pass for other fields") {
  for (const char* name : {"", ")", "a) R 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 0 0 0 0 5 ", "(", "a (b", "\n) Z 1"}) {
    CAPTURE(name);
    const auto found = process::parse(stat_of(name), kStatus);
    REQUIRE(found);
    CHECK(found->parent == 4710);
    CHECK(found->state == 'S');
    CHECK(found->started == 81273645);
  }
}

TEST_CASE("process: what has another form is none") {
  const std::string good = stat_of("bash");
  for (const std::string& stat :
       {std::string(), std::string("4711"), std::string("4711 (bash"), std::string("4711 (bash)"),
        std::string("x (bash) S 1"), good.substr(0, 40), "-" + good, "0" + good.substr(4)}) {
    CAPTURE(stat);
    CHECK_FALSE(process::parse(stat, kStatus));
  }
  for (const char* status : {"", "Uid:\t1\t1\t1\t1\n", "Name:\ta\nUid:\t1\t1\t1\n", "Name:\ta\nUid:\t1\t1\t1\t-1\n",
                             "Name:\ta\nUid:\t1\t1\t1\t4294967296\n", "Name:\ta\nUid:\t1\t1\t1\tx\n"}) {
    CAPTURE(status);
    CHECK_FALSE(process::parse(good, status));
  }
}

TEST_CASE("process: ours, and one that ends") {
  const auto ours = process::of(::getpid());
  CHECK(ours.pid == ::getpid());
  CHECK(ours.parent == ::getppid());
  CHECK(ours.real_uid() == ::getuid());
  const auto all = process::all();
  CHECK(std::find(all.begin(), all.end(), ::getpid()) != all.end());

  const pid_t pid = ::fork();
  if (pid == 0) {
    ::pause();
    ::_exit(0);
  }
  const auto child = process::of(pid);
  CHECK(child.parent == ::getpid());
  const Fd held = process::hold(child);
  REQUIRE(held);
  auto later = child;
  ++later.started;
  CHECK_FALSE(process::hold(later));
  CHECK(pidfd::signal(held, SIGKILL));
  CHECK(::waitpid(pid, nullptr, 0) == pid);
  CHECK_FALSE(process::find(pid));
  CHECK_FALSE(process::hold(child));
  CHECK_THROWS_AS(process::of(pid), tool::Failure);
}
