#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "base/failure.h"
#include "base/passing.h"
#include "descriptors.h"

namespace {

fd::Pair packets() {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
  return {Fd(ends[0]), Fd(ends[1])};
}

// So many, of one pipe.
std::vector<int> many(const fd::Pair& pipe, std::size_t count) { return std::vector<int>(count, pipe.write.get()); }

}  // namespace

TEST_CASE("passing: descriptors come with the bytes, closed for programs that are started") {
  for (const bool stream : {true, false}) {
    CAPTURE(stream);
    const auto ends = stream ? fd::socket_pair() : packets();
    auto pipe = fd::pipe();
    CHECK_FALSE(passing::receive(ends.write.get(), 100, 3));
    passing::send_all(ends.read.get(), "hello", {pipe.read.get(), pipe.write.get(), STDERR_FILENO});
    auto came = passing::receive(ends.write.get(), 100, 3);
    REQUIRE(came);
    CHECK(came->whole);
    CHECK(came->bytes == "hello");
    REQUIRE(came->descriptors.size() == 3);
    for (const auto& each : came->descriptors) CHECK((::fcntl(each.get(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(::write(came->descriptors[1].get(), "x", 1) == 1);
    char byte = 0;
    CHECK(::read(pipe.read.get(), &byte, 1) == 1);
    passing::send_all(ends.read.get(), "alone", {});
    came = passing::receive(ends.write.get(), 100, 3);
    CHECK(came->bytes == "alone");
    CHECK(came->descriptors.empty());
  }
}

TEST_CASE("passing: more than was asked for is refused, and none of it stays open") {
  auto pipe = fd::pipe();
  for (const std::size_t count : {2, 3, 4, 8}) {
    CAPTURE(count);
    const auto ends = packets();
    const Descriptors before;
    passing::send_all(ends.read.get(), "many", many(pipe, count));
    const auto came = passing::receive(ends.write.get(), 100, 1);
    REQUIRE(came);
    CHECK_FALSE(came->whole);
    CHECK(came->descriptors.empty());
    CHECK(before.added().empty());
  }
  const auto ends = packets();
  const Descriptors before;
  passing::send_all(ends.read.get(), "too long", many(pipe, 1));
  const auto came = passing::receive(ends.write.get(), 3, 1);
  CHECK_FALSE(came->whole);
  CHECK(came->descriptors.empty());
  CHECK(before.added().empty());
  CHECK_THROWS_AS(passing::send(ends.read.get(), "x", many(pipe, passing::kMost + 1)), tool::Failure);
}

TEST_CASE("passing: none may come where none is asked for") {
  const auto ends = packets();
  auto pipe = fd::pipe();
  const Descriptors before;
  passing::send_all(ends.read.get(), "x", many(pipe, 1));
  const auto came = passing::receive(ends.write.get(), 100, 0);
  CHECK_FALSE(came->whole);
  CHECK(before.added().empty());
}

TEST_CASE("passing: an end that is closed, or full") {
  auto ends = packets();
  int size = 4096;
  ::setsockopt(ends.read.get(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  const std::string packet(2000, 'x');
  auto sent = passing::Sent::all;
  for (int i = 0; i < 1000 && sent == passing::Sent::all; ++i) sent = passing::send(ends.read.get(), packet, {});
  CHECK(sent == passing::Sent::not_now);
  CHECK_THROWS_AS(passing::send_all(ends.read.get(), packet, {}), tool::Failure);
  ends.write.reset();
  CHECK(passing::send(ends.read.get(), packet, {}) == passing::Sent::gone);
  const auto came = passing::receive(ends.read.get(), 100, 1);
  REQUIRE(came);
  CHECK(came->bytes.empty());
}
