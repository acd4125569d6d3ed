#include <doctest/doctest.h>

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "base/fd.h"
#include "base/outlet.h"

namespace {

// What can be read now.
std::string read_now(int fd) {
  fd::set_nonblocking(fd);
  std::string all;
  char bytes[65536];
  for (ssize_t count; (count = ::read(fd, bytes, sizeof bytes)) > 0;)
    all.append(bytes, static_cast<std::size_t>(count));
  return all;
}

bool blocks(int fd) { return (::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0; }

}  // namespace

TEST_CASE("outlet: a pipe gets what it can take, and the rest when it is read") {
  fd::Pair pipe = fd::pipe();
  const int writer = pipe.write.get();
  Outlet outlet(writer);
  std::string sent;
  for (int i = 0; i < 300000; ++i) sent += static_cast<char>('a' + i % 26);
  outlet.hold(sent);
  REQUIRE(outlet.flush());
  CHECK_FALSE(outlet.empty());
  std::string got;
  for (int i = 0; i < 100 && !outlet.empty(); ++i) {
    got += read_now(pipe.read.get());
    REQUIRE(outlet.flush());
  }
  got += read_now(pipe.read.get());
  CHECK(outlet.empty());
  CHECK(got == sent);
  CHECK(blocks(writer));  // for whoever else holds it
}

TEST_CASE("outlet: a socket gets what it can take, and stays as it is for others") {
  fd::Pair pair = fd::socket_pair();
  Outlet outlet(pair.write.get());
  outlet.hold(std::string(4000000, 'x'));
  REQUIRE(outlet.flush());
  CHECK_FALSE(outlet.empty());
  CHECK(blocks(pair.write.get()));
  CHECK_FALSE(read_now(pair.read.get()).empty());
}

TEST_CASE("outlet: a reader that is gone is found out") {
  fd::Pair pipe = fd::pipe();
  Outlet to_pipe(pipe.write.get());
  pipe.read.reset();
  to_pipe.hold("x");
  CHECK_FALSE(to_pipe.flush());
  fd::Pair pair = fd::socket_pair();
  Outlet to_socket(pair.write.get());
  pair.read.reset();
  to_socket.hold("x");
  CHECK_FALSE(to_socket.flush());
}

TEST_CASE("outlet: once it is closed the reader sees the end, and what is held is dropped") {
  for (const bool is_socket : {false, true}) {
    CAPTURE(is_socket);
    fd::Pair pair = is_socket ? fd::socket_pair() : fd::pipe();
    // A socket's other holders keep nobody waiting; a pipe's do.
    const Fd other(is_socket ? ::dup(pair.write.get()) : -1);
    Outlet outlet(pair.write.get());
    outlet.hold("last");
    REQUIRE(outlet.flush());
    outlet.close();
    CHECK_FALSE(outlet.open());
    outlet.hold("more");
    CHECK(outlet.empty());
    CHECK(outlet.flush());
    CHECK(read_now(pair.read.get()) == "last");
    char byte;
    CHECK(::read(pair.read.get(), &byte, 1) == 0);
    CHECK(::fcntl(pair.write.get(), F_GETFD) >= 0);  // nothing else can get its number
  }
}
