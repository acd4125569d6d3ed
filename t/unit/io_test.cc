#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"

namespace {

void put(const Fd& fd, const std::string& text) { io::write_all(fd.get(), text); }

template <typename Act>
int code_of(Act act) {
  try {
    act();
  } catch (const tool::Failure& failure) {
    return failure.code();
  }
  return 0;
}

}  // namespace

TEST_CASE("io: everything up to EOF is read, to the last byte of the limit") {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{16384}, std::size_t{16385}, std::size_t{200000}}) {
    CAPTURE(size);
    auto pipe = fd::pipe();
    const std::string text(size, 'x');
    std::thread writer([&] {
      put(pipe.write, text);
      pipe.write.reset();
    });
    CHECK(io::read_all(pipe.read.get(), size, "input") == text);
    writer.join();
  }
}

TEST_CASE("io: a byte over the limit is bad input, and names what it was") {
  auto pipe = fd::pipe();
  put(pipe.write, std::string(11, 'x'));
  pipe.write.reset();
  try {
    io::read_all(pipe.read.get(), 10, "record");
    FAIL("was accepted");
  } catch (const tool::Failure& failure) {
    CHECK(failure.code() == tool::bad_input);
    CHECK(std::string(failure.what()) == "record: more than 10 bytes");
  }
}

TEST_CASE("io: an endless input is refused, not swallowed") {
  const Fd zero = fd::open("/dev/zero", O_RDONLY);
  CHECK(code_of([&] { io::read_all(zero.get(), 8192, "record"); }) == tool::bad_input);
}

TEST_CASE("io: what cannot be read or written is an I/O error") {
  const Fd directory = fd::open("/", O_RDONLY);
  CHECK(code_of([&] { io::read_all(directory.get(), 10, "record"); }) == tool::io);
  CHECK(code_of([&] { io::read_all(-1, 10, "record"); }) == tool::io);
  CHECK(code_of([&] { io::write_all(-1, "x"); }) == tool::io);
  const Fd full = fd::open("/dev/full", O_WRONLY);
  CHECK(code_of([&] { io::write_all(full.get(), "x"); }) == tool::io);
  CHECK(code_of([&] { io::write_all(full.get(), ""); }) == 0);
}

TEST_CASE("io: writing to a pipe that nobody reads is an I/O error") {
  auto pipe = fd::pipe();
  pipe.read.reset();
  CHECK(code_of([&] { put(pipe.write, "x"); }) == tool::io);
}

TEST_CASE("io: a full non-blocking pipe is waited for until all is written") {
  auto pipe = fd::pipe();
  fd::set_nonblocking(pipe.write.get());
  const std::string text(1 << 20, 'x');
  std::string got;
  std::thread reader([&] { got = io::read_all(pipe.read.get(), text.size(), "input"); });
  put(pipe.write, text);
  pipe.write.reset();
  reader.join();
  CHECK(got == text);
}

TEST_CASE("io: lines come out whole, however they arrive") {
  auto pipe = fd::pipe();
  io::LineBuffer lines(100);
  CHECK_FALSE(lines.pop());
  put(pipe.write, "on");
  CHECK(lines.fill(pipe.read.get()));
  CHECK_FALSE(lines.pop());
  put(pipe.write, "e\ntwo\n\nth");
  CHECK(lines.fill(pipe.read.get()));
  CHECK(lines.pop() == "one");
  CHECK(lines.pop() == "two");
  CHECK(lines.pop() == "");
  CHECK_FALSE(lines.pop());
  put(pipe.write, "ree\n");
  CHECK(lines.fill(pipe.read.get()));
  CHECK(lines.pop() == "three");
  CHECK_FALSE(lines.rest());
}

TEST_CASE("io: at EOF what came without a newline is a line of its own") {
  auto pipe = fd::pipe();
  io::LineBuffer lines(100);
  put(pipe.write, "one\ntwo");
  CHECK(lines.fill(pipe.read.get()));
  pipe.write.reset();
  CHECK_FALSE(lines.fill(pipe.read.get()));
  CHECK(lines.pop() == "one");
  CHECK_FALSE(lines.pop());
  CHECK(lines.rest() == "two");
  CHECK_FALSE(lines.rest());
}

TEST_CASE("io: a line may be as long as the limit, and not a byte longer") {
  for (const bool ended : {true, false}) {
    CAPTURE(ended);
    auto pipe = fd::pipe();
    io::LineBuffer fits(10);
    put(pipe.write, "0123456789\n");
    CHECK(fits.fill(pipe.read.get()));
    CHECK(fits.pop() == "0123456789");
    io::LineBuffer over(10);
    put(pipe.write, ended ? "01234567890\n" : "01234567890");
    CHECK(code_of([&] {
            over.fill(pipe.read.get());
            over.pop();
          }) == tool::bad_input);
  }
}

TEST_CASE("io: a line that never ends is refused while it comes in") {
  auto pipe = fd::pipe();
  io::LineBuffer lines(8192);
  int code = 0;
  for (int i = 0; i < 4 && code == 0; ++i) {
    put(pipe.write, std::string(4096, 'x'));
    code = code_of([&] { lines.fill(pipe.read.get()); });
  }
  CHECK(code == tool::bad_input);
}

TEST_CASE("io: a NUL byte in a line is bad input, wherever it stands") {
  for (const std::string& text : {std::string("\0", 1), std::string("a\0b\n", 4), std::string("\0\n", 2),
                                  std::string("ok", 2) + std::string("\0", 1)}) {
    auto pipe = fd::pipe();
    put(pipe.write, text);
    pipe.write.reset();
    io::LineBuffer lines(100);
    CHECK(code_of([&] {
            while (lines.fill(pipe.read.get())) lines.pop();
            lines.rest();
          }) == tool::bad_input);
  }
}

TEST_CASE("io: nothing to read yet is not the end, a reset connection is") {
  auto pipe = fd::pipe();
  fd::set_nonblocking(pipe.read.get());
  io::LineBuffer lines(100);
  CHECK(lines.fill(pipe.read.get()));
  CHECK_FALSE(lines.pop());

  auto pair = fd::socket_pair();
  put(pair.read, "unread");
  pair.read.reset();
  CHECK(lines.fill(pair.write.get()));
  CHECK_FALSE(lines.fill(pair.write.get()));
  CHECK(code_of([&] { lines.fill(-1); }) == tool::io);
}
