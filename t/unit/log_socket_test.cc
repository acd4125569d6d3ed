#include "base/log_socket.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/unix_socket.h"

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;
using namespace std::string_literals;

// A daemon that reads only when it is told to.
class Reader {
 public:
  explicit Reader(int type) {
    char name[] = "/tmp/log_socket.XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    folder_ = name;
    socket_ = Fd(::socket(AF_UNIX, type | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    const socklen_t size = unix_socket::name_of(path(), address);
    REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0);
    if (type == SOCK_STREAM) REQUIRE(::listen(socket_.get(), 4) == 0);
  }
  ~Reader() {
    ::unlink(path().c_str());
    ::rmdir(folder_.c_str());
  }
  std::string path() const { return folder_ + "/log"; }
  int fd() const { return socket_.get(); }

  std::vector<std::string> read() const {
    std::vector<std::string> lines;
    char bytes[4096];
    for (ssize_t got = 0; (got = ::recv(fd(), bytes, sizeof bytes, 0)) >= 0;)
      lines.emplace_back(bytes, static_cast<std::size_t>(got));
    return lines;
  }

 private:
  std::string folder_;
  Fd socket_;
};

std::chrono::nanoseconds time_of(log_socket::Socket& socket, const std::string& text) {
  const auto began = Clock::now();
  socket.send(LOG_NOTICE, 0, "tool", text);
  return Clock::now() - began;
}

}  // namespace

TEST_CASE("log_socket: a line is that of syslog(3), in facility local2") {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  const std::string expected = "<149>Jan  1 00:00:00 tool[" + std::to_string(::getpid()) + "]: LOG text";
  CHECK(log_socket::line(LOG_NOTICE, 0, "tool", "LOG text") == expected);
  Reader daemon(SOCK_DGRAM);
  log_socket::Socket socket(daemon.path());
  socket.send(LOG_NOTICE, 0, "tool", "LOG text");
  CHECK(daemon.read() == std::vector<std::string>{expected});
}

TEST_CASE("log_socket: a daemon that hangs costs half a second, once, and what was lost is told") {
  Reader daemon(SOCK_DGRAM);
  log_socket::Socket socket(daemon.path());
  std::chrono::nanoseconds longest{0};
  int sent = 0;
  for (; longest < log_socket::kPatience && sent < 100'000; ++sent) longest = std::max(longest, time_of(socket, "x"));
  REQUIRE(sent < 100'000);
  CHECK(longest < 10s);
  const auto began = Clock::now();
  for (int i = 0; i < 1000; ++i) socket.send(LOG_NOTICE, 0, "tool", "y");
  CHECK(Clock::now() - began < 10s);  // and not 500
  const auto before = daemon.read();
  CHECK(before.size() == static_cast<std::size_t>(sent) - 1);
  socket.send(LOG_NOTICE, 0, "tool", "z");
  const auto after = daemon.read();
  REQUIRE(after.size() == 2);
  CHECK(after[0].ends_with("]: ERR 1001 lines are lost: syslog did not take them"));
  CHECK(after[1].ends_with("]: z"));
  socket.send(LOG_NOTICE, 0, "tool", "z");
  CHECK(daemon.read().size() == 1);
}

TEST_CASE("log_socket: nobody listens, or somebody else by now: nobody waits") {
  log_socket::Socket to_nobody("/tmp/log_socket.none");
  CHECK(time_of(to_nobody, "x") < log_socket::kPatience);
  CHECK(log_socket::Socket("/tmp/log_socket.none").try_out("x", 1s) == log_socket::Daemon::absent);
  std::string path;
  log_socket::Socket* socket = nullptr;
  {
    Reader first(SOCK_DGRAM);
    path = first.path();
    socket = new log_socket::Socket(path);
    socket->send(LOG_NOTICE, 0, "tool", "x");
    CHECK(first.read().size() == 1);
  }
  CHECK(time_of(*socket, "x") < log_socket::kPatience);
  delete socket;
}

TEST_CASE("log_socket: a daemon that listens for streams gets lines that end with NUL") {
  Reader daemon(SOCK_STREAM);
  log_socket::Socket socket(daemon.path());
  for (const char* text : {"one", "two"}) socket.send(LOG_ERR, 0, "tool", text);
  const Fd taken(::accept(daemon.fd(), nullptr, nullptr));
  REQUIRE(taken);
  char bytes[4096];
  const ssize_t got = ::recv(taken.get(), bytes, sizeof bytes, MSG_DONTWAIT);
  REQUIRE(got > 0);
  const std::string said(bytes, static_cast<std::size_t>(got));
  CHECK(said.find("]: one\0<147>"s) != said.npos);
  CHECK(said.ends_with("]: two\0"s));
}

TEST_CASE("log_socket: the doctor hears whether a daemon takes lines, or only has them in its queue") {
  Reader daemon(SOCK_DGRAM);
  CHECK(log_socket::Socket(daemon.path()).try_out("x", 50ms) == log_socket::Daemon::hangs);
  CHECK(daemon.read().size() == 1);
  std::thread reader([&] {
    while (daemon.read().empty()) std::this_thread::sleep_for(1ms);
  });
  CHECK(log_socket::Socket(daemon.path()).try_out("x", 30s) == log_socket::Daemon::listens);
  reader.join();
}
