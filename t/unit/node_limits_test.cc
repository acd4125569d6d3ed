// The limits of the node service: connections, guesses.
#include <doctest/doctest.h>

#include <string>

#include "../../cmd/asperanoded/throttle.h"
#include "http/shares.h"

using asperanoded::Throttle;
using namespace std::chrono_literals;

namespace {

IpAddress ip(const std::string& text) { return *IpAddress::parse(text); }

// Adds all that are admitted of `count`, from the addresses that `name` makes of 0 to count - 1.
template <typename Name>
int admitted(shares::Shares& all, int count, Name name) {
  int in = 0;
  for (int i = 0; i < count; ++i) {
    const IpAddress client = ip(name(i));
    if (!all.admit(client)) continue;
    all.add(client);
    ++in;
  }
  return in;
}

std::string hex(int number) {
  constexpr char kDigits[] = "0123456789abcdef";
  return {kDigits[number / 4096 % 16], kDigits[number / 256 % 16], kDigits[number / 16 % 16], kDigits[number % 16]};
}

const auto kStart = Throttle::Clock::time_point(1000s);

}  // namespace

TEST_CASE("shares: nobody has all connections") {
  shares::Shares four;
  CHECK(admitted(four, 300, [](int) { return "203.0.113.7"; }) == 200);
  CHECK(admitted(four, 1000, [](int i) { return "203.0.113." + std::to_string(i % 250); }) == 400);
  CHECK(admitted(four, 1000, [](int i) { return "::ffff:203.0.113." + std::to_string(i % 250); }) == 0);
  CHECK(admitted(four, 1000, [](int i) { return "198.51.100." + std::to_string(i % 250); }) == 600);
  shares::Shares six;
  CHECK(admitted(six, 1000, [](int i) { return "2001:db8:0:1::" + hex(i); }) == 200);
  CHECK(admitted(six, 1000, [](int i) { return "2001:db8:0:" + hex(i % 256) + "::1"; }) == 200);
  CHECK(admitted(six, 1000, [](int i) { return "2001:db8:0:" + hex(i * 64) + "::1"; }) == 200);
  CHECK(admitted(six, 300, [](int) { return "2001:db8:1::1"; }) == 200);
}

TEST_CASE("shares: who leaves makes room") {
  shares::Shares four;
  for (int i = 0; i < 200; ++i) four.add(ip("2001:db8::1"));
  CHECK(!four.admit(ip("2001:db8::2")));
  four.remove(ip("2001:db8::1"));
  CHECK(four.admit(ip("2001:db8::2")));
  for (int i = 0; i < 199; ++i) four.remove(ip("2001:db8::1"));
  CHECK(four.empty());
  four.remove(ip("2001:db8::1"));
  CHECK(four.empty());
}

TEST_CASE("throttle: at first nobody waits, then for the next token, and few do") {
  Throttle throttle({3, 0.5, 2});
  for (int i = 0; i < 3; ++i) CHECK(throttle.take("a", kStart) == 0ms);
  CHECK(throttle.take("a", kStart) == 2000ms);
  CHECK(throttle.take("a", kStart) == 4000ms);
  CHECK(throttle.take("a", kStart) == std::nullopt);
  CHECK(throttle.take("b", kStart) == 0ms);
  CHECK(throttle.take("a", kStart + 4s) == 2000ms);  // the two that waited have had theirs
  CHECK(throttle.take("a", kStart + 100s) == 0ms);
  CHECK(throttle.take("a", kStart + 100s) == 0ms);
  CHECK(throttle.take("a", kStart + 100s) == 0ms);
  CHECK(throttle.take("a", kStart + 100s) == 2000ms);
  throttle.give_back("a");
  throttle.give_back("a");
  CHECK(throttle.take("a", kStart + 100s) == 0ms);
  throttle.give_back("nobody");
}

TEST_CASE("throttle: a full table forgets those with the fewest failures") {
  Throttle throttle({3, 0.5, 0}, 100);
  for (int i = 0; i < 3; ++i) throttle.take("guesser", kStart);
  CHECK(throttle.take("guesser", kStart) == std::nullopt);
  for (int i = 0; i < 5000; ++i) CHECK(throttle.take("filler" + std::to_string(i), kStart) == 0ms);
  CHECK(throttle.size() == 100);
  CHECK(throttle.take("guesser", kStart) == std::nullopt);
  for (int i = 0; i < 300; ++i) {
    for (int j = 0; j < 2; ++j) throttle.take("worse" + std::to_string(i), kStart);
  }
  CHECK(throttle.size() == 100);
  CHECK(throttle.take("guesser", kStart) == std::nullopt);
  // Those that are forgiven go first.
  for (int i = 0; i < 150; ++i) throttle.take("later" + std::to_string(i), kStart + 60s);
  CHECK(throttle.size() == 100);
  CHECK(throttle.take("guesser", kStart + 60s) == 0ms);
}
