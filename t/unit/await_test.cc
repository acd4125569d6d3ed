#include <doctest/doctest.h>

#include <unistd.h>
#include <csignal>

#include <chrono>
#include <vector>

#include "base/await.h"
#include "base/deadline.h"
#include "base/fd.h"

namespace {

using namespace std::chrono_literals;

void say(const fd::Pair& pipe) { CHECK(::write(pipe.write.get(), "x", 1) == 1); }

}  // namespace

TEST_CASE("deadline: in a while, now and never") {
  CHECK_FALSE(Deadline::in(10s).over());
  CHECK(Deadline::in(10s).left() <= 10s);
  CHECK(Deadline::in(10s).left() > 5s);
  CHECK(Deadline::in(0s).over());
  CHECK(Deadline::in(-1s).over());
  CHECK(Deadline::in(-1s).left() == 0ms);
  CHECK(Deadline::now().over());
  CHECK(Deadline::now().left() == 0ms);
  CHECK_FALSE(Deadline::never().over());
  CHECK(Deadline::never().left() == 1h);
  CHECK(Deadline::in(2h).left() == 1h);
  CHECK(Deadline::now() < Deadline::in(0s));
  CHECK(std::min(Deadline::never(), Deadline::in(1s)) < Deadline::in(2s));
}

TEST_CASE("deadline: what is left is rounded up, so that nobody wakes too early") {
  CHECK(Deadline::in(900us).left() == 1ms);
  CHECK(Deadline::in(1ns + 5s).left() > 5s - 100ms);
}

TEST_CASE("await: each descriptor says by its own name what came") {
  auto one = fd::pipe(), other = fd::pipe(), full = fd::pipe();
  say(other);
  await::On first(one.read.get()), second(other.read.get()), third(full.write.get(), POLLOUT), none(-1);
  CHECK(await::any(Deadline::never(), first, second, third, none));
  CHECK_FALSE(first);
  CHECK(second);
  CHECK(second.has(POLLIN));
  CHECK_FALSE(second.gone());
  CHECK(third.has(POLLOUT));
  CHECK_FALSE(none);
  one.write.reset();
  CHECK(await::any(Deadline::never(), first));
  CHECK(first);
  CHECK(first.gone());
  full.read.reset();
  CHECK(await::any(Deadline::now(), third, second));
  CHECK(third.gone());
  CHECK(second);
}

TEST_CASE("await: a row of them") {
  auto one = fd::pipe(), other = fd::pipe();
  std::vector<await::On> all{await::On(one.read.get()), await::On(other.read.get())};
  CHECK_FALSE(await::any(Deadline::now(), all));
  say(other);
  CHECK(await::any(Deadline::in(10s), all));
  CHECK_FALSE(all[0]);
  CHECK(all[1]);
  CHECK(::close(::dup(one.read.get())) == 0);
  CHECK(await::readable(other.read.get(), Deadline::now()));
  CHECK_FALSE(await::readable(one.read.get(), Deadline::now()));
  CHECK(await::writable(one.write.get(), Deadline::now()));
}

TEST_CASE("await: a deadline ends it, and a signal does not") {
  auto silent = fd::pipe();
  await::On on(silent.read.get());
  const auto start = Deadline::Clock::now();
  CHECK_FALSE(await::any(Deadline::in(50ms), on));
  CHECK(Deadline::Clock::now() - start >= 50ms);
  CHECK_FALSE(on);

  struct sigaction before {
  }, heard{};
  heard.sa_handler = [](int) {};
  ::sigaction(SIGALRM, &heard, &before);
  const auto interrupted = Deadline::Clock::now();
  ::ualarm(10'000, 10'000);
  CHECK_FALSE(await::any(Deadline::in(100ms), on));
  ::ualarm(0, 0);
  CHECK(Deadline::Clock::now() - interrupted >= 100ms);
  CHECK_FALSE(on);
  ::sigaction(SIGALRM, &before, nullptr);
}
