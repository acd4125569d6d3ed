#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <string>

#include "base/await.h"
#include "base/child.h"
#include "base/failure.h"
#include "base/signals.h"

namespace {

// What `act` returns in a process of its own, for what signals do to a process. 128 + its
// number when one ended it.
template <typename Act>
int in_child(Act act) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    for (const int number : {SIGTERM, SIGHUP}) std::signal(number, SIG_DFL);  // doctest has its own
    ::_exit(act());
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return child::status_of(status);
}

bool is_blocked(int number) {
  sigset_t now;
  ::sigprocmask(SIG_BLOCK, nullptr, &now);
  return sigismember(&now, number) == 1;
}

}  // namespace

TEST_CASE("signals: one that is asked for can be read, and ends nobody") {
  CHECK(in_child([] {
          const Signals signals({SIGTERM, SIGHUP});
          if (signals.take() || await::readable(signals.fd(), Deadline::now())) return 1;
          ::kill(::getpid(), SIGTERM);
          if (!await::readable(signals.fd(), Deadline::now())) return 2;
          const auto caught = signals.take();
          if (!caught || caught->number != SIGTERM || !caught->from_process || signals.take()) return 3;
          ::raise(SIGHUP);
          return signals.take()->number == SIGHUP ? 0 : 4;
        }) == 0);
  CHECK(in_child([] {
          const Signals signals({SIGTERM});
          ::raise(SIGHUP);
          return 0;
        }) == 128 + SIGHUP);
}

TEST_CASE("signals: one that nobody takes any more does not end what is cleared up") {
  CHECK(in_child([] {
          {
            const Signals signals({SIGTERM});
            ::raise(SIGTERM);
          }
          ::raise(SIGTERM);
          return 7;
        }) == 7);
}

TEST_CASE("signals: an ignored one is left so if that is wanted") {
  CHECK(in_child([] {
          std::signal(SIGHUP, SIG_IGN);
          const Signals caught({SIGHUP});
          ::raise(SIGHUP);
          if (!caught.take() || !caught.ignored().empty()) return 1;
          return 0;
        }) == 0);
  CHECK(in_child([] {
          std::signal(SIGHUP, SIG_IGN);
          const Signals signals({SIGHUP, SIGTERM}, Signals::Ignored::left);
          if (signals.ignored() != std::vector<int>{SIGHUP} || is_blocked(SIGHUP) || !is_blocked(SIGTERM)) return 1;
          ::raise(SIGHUP);
          return signals.take() ? 2 : 0;
        }) == 0);
}

TEST_CASE("signals: a program that is started has none of them blocked") {
  CHECK(in_child([] {
          const Signals signals({SIGTERM});
          return child::run({{"/bin/sh", "-c", "kill -TERM $$; exit 3"}, {}, {}}, "", 1024, 10).status;
        }) == 128 + SIGTERM);
}

TEST_CASE("signals: put off, one acts afterwards") {
  CHECK(in_child([] {
          {
            const SignalsPutOff put_off({SIGTERM});
            ::raise(SIGTERM);
            if (!is_blocked(SIGTERM)) return 1;
          }
          return 2;
        }) == 128 + SIGTERM);
  CHECK(in_child([] {
          { const SignalsPutOff put_off({SIGTERM}); }
          return is_blocked(SIGTERM) ? 1 : 0;
        }) == 0);
}

TEST_CASE("signals: who ends by one says so") {
  try {
    signals::end_by(SIGTERM);
  } catch (const tool::Failure& failure) {
    CHECK(failure.code() == 128 + SIGTERM);
    CHECK(std::string(failure.what()) == "ended by SIGTERM");
  }
}
