#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/io.h"
#include "who/asked_host.h"

namespace {

using namespace std::chrono_literals;

std::string name_text(const std::optional<HostPort>& name) { return name ? name->text() : "-"; }

// "more": undecided; "-": decided, no name.
std::string opening(const std::string& start) {
  const auto seen = asked_host::in_stream(start);
  return seen.decided ? name_text(seen.name) : "more";
}

const std::string kLine = "as_session_init --protocol=2 --host=faspex.example.com\n";

enum class Kind { socket, pipe };

fd::Pair stream(Kind kind) { return kind == Kind::socket ? fd::socket_pair() : fd::pipe(); }

std::string all_of(int fd) { return io::read_all(fd, 16 * 1024 * 1024, "test"); }

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

}  // namespace

TEST_CASE("asked_host: the first line of a stream") {
  const struct {
    std::string start;
    std::string answer;
  } cases[] = {
      {kLine, "faspex.example.com"},
      {kLine + "as_ls \"/\"\n", "faspex.example.com"},
      {kLine + kLine, "faspex.example.com"},
      {kLine + "as_session_init --protocol=2 --host=other.example.com\n", "faspex.example.com"},
      {kLine + std::string(2000, 'x'), "faspex.example.com"},
      {kLine + std::string(3, '\0'), "faspex.example.com"},
      {"as_session_init --protocol=2 --host=Faspex.Example.COM:33001\r\n", "faspex.example.com:33001"},
      {"as_session_init --host=faspex --protocol=2\n", "faspex"},
      {"as_session_init  --host=[2001:db8::1]:33001  \n", "[2001:db8::1]:33001"},
      {"as_session_init --host=7.7.7.7\n", "7.7.7.7"},
      {"as_session_init --protocol=2\n", "-"},
      {"as_session_init \n", "-"},
      {"as_session_init\n", "-"},
      {"as_session_init --protocol=2 --host=\n", "-"},
      {"as_session_init --protocol=2 --host=a b\n", "-"},
      {"as_session_init --protocol=2 --host=a --host=b\n", "-"},
      {"as_session_init --protocol=2 --host=a --host=a\n", "-"},
      {"as_session_init --protocol=2 --host a\n", "-"},
      {"as_session_init --protocol=2 x --host=a\n", "-"},
      {"as_session_init --protocol=2 --host=a:0\n", "-"},
      {"as_session_init --protocol=2 --host=a:65536\n", "-"},
      {"as_session_init --protocol=2 --host=-oProxyCommand=x\n", "-"},
      {"as_session_init --protocol=2 --host=../../etc\n", "-"},
      {"as_session_init --protocol=2 --host=$(id)\n", "-"},
      {"as_session_init --protocol=2 --host=a\r\r\n", "-"},
      {"as_session_init --protocol=2\r --host=a\n", "-"},
      {"as_session_init --protocol=2\t--host=a\n", "-"},
      {std::string("as_session_init --host=a\0b\n", 27), "-"},
      {"as_session_init --host=\xc3\xa4\n", "-"},
      {"as_session_init --host=\x1b[2J\n", "-"},
      {" " + kLine, "-"},
      {"\n" + kLine, "-"},
      {"As_session_init --host=a\n", "-"},
      {"as_session_inits --host=a\n", "-"},
      {"as_ls \"/\"\n" + kLine, "-"},
      {std::string(1, '\0'), "-"},
      {"GET / HTTP/1.0\r\n", "-"},
      {"", "more"},
      {"a", "more"},
      {"as_session_init", "more"},
      {"as_session_init --protocol=2 --host=faspex.example.com", "more"},
      {"as_session_init --protocol=2 --host=faspex.example.com\r", "more"},
      {"as_session_init --protocol=2\r ", "-"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.start);
    CHECK(opening(c.start) == c.answer);
  }
  for (std::size_t cut = 0; cut < kLine.size(); ++cut) CHECK(opening(kLine.substr(0, cut)) == "more");
}

TEST_CASE("asked_host: a first line has at most 1024 bytes, its newline among them") {
  const auto line = [](std::size_t size) {
    const std::string head = "as_session_init --host=a --";
    return head + std::string(size - head.size() - 1, 'x') + "\n";
  };
  CHECK(opening(line(1024)) == "a");
  CHECK(opening(line(1025)) == "-");
  CHECK(opening(line(1024).substr(0, 1023)) == "more");
  CHECK(opening(line(1025).substr(0, 1024)) == "-");
  CHECK(opening("as_session_init " + std::string(10 * 1024, 'x')) == "-");
}

TEST_CASE("asked_host: --host=NAME among the words of a command") {
  using Words = std::vector<std::string>;
  const struct {
    Words words;
    std::string name;
  } cases[] = {
      {{"ascp", "--host=faspex.example.com", "-S."}, "faspex.example.com"},
      {{"ascp", "-S.", "--host=Faspex:33001"}, "faspex:33001"},
      {{"ascp", "-S.", "-V1"}, "-"},
      {{"ascp", "--host=a", "--host=b"}, "-"},
      {{"ascp", "--host=a", "--host=a"}, "-"},
      {{"ascp", "--host", "a"}, "-"},
      {{"ascp", "--host="}, "-"},
      {{"ascp", "--host=a b"}, "-"},
      {{"ascp", "--host=a\n"}, "-"},
      {{"ascp", "-host=a"}, "-"},
      {{"--host=a"}, "-"},
      {{}, "-"},
  };
  for (const auto& c : cases) CHECK(name_text(asked_host::in_words(c.words)) == c.name);
}

TEST_CASE("asked_host: peek finds the line and takes no byte") {
  for (const auto kind : {Kind::socket, Kind::pipe}) {
    CAPTURE(static_cast<int>(kind));
    auto ends = stream(kind);
    const std::string sent = kLine + std::string("\0\n\xff rest", 9);
    io::write_all(ends.write.get(), sent);
    const auto start = std::chrono::steady_clock::now();
    CHECK(name_text(asked_host::peek(ends.read.get(), 2s)) == "faspex.example.com");
    CHECK(std::chrono::steady_clock::now() - start < 200ms);
    ends.write.reset();
    CHECK(all_of(ends.read.get()) == sent);
  }
}

TEST_CASE("asked_host: peek puts a line together that comes byte by byte") {
  for (const auto kind : {Kind::socket, Kind::pipe}) {
    CAPTURE(static_cast<int>(kind));
    auto ends = stream(kind);
    std::thread client([&] {
      for (const char c : kLine) {
        io::write_all(ends.write.get(), std::string(1, c));
        std::this_thread::sleep_for(2ms);
      }
    });
    CHECK(name_text(asked_host::peek(ends.read.get(), 5s)) == "faspex.example.com");
    client.join();
    ends.write.reset();
    CHECK(all_of(ends.read.get()) == kLine);
  }
}

TEST_CASE("asked_host: peek does not wait for what cannot come any more") {
  for (const auto kind : {Kind::socket, Kind::pipe}) {
    for (const std::string& sent :
         {std::string("SSH-2.0-x"), std::string("\0", 1), std::string(), std::string("as_session_init --host=a")}) {
      CAPTURE(static_cast<int>(kind));
      CAPTURE(sent);
      auto ends = stream(kind);
      io::write_all(ends.write.get(), sent);
      const bool open = !sent.empty() && sent[0] != 'a';
      if (!open) ends.write.reset();
      const auto start = std::chrono::steady_clock::now();
      CHECK_FALSE(asked_host::peek(ends.read.get(), 5s));
      CHECK(std::chrono::steady_clock::now() - start < 500ms);
      ends.write.reset();
      CHECK(all_of(ends.read.get()) == sent);
    }
  }
}

TEST_CASE("asked_host: peek gives up in time, and sleeps meanwhile") {
  for (const auto kind : {Kind::socket, Kind::pipe}) {
    for (const std::string& sent : {std::string(), std::string("as_session_init --host=a")}) {
      CAPTURE(static_cast<int>(kind));
      CAPTURE(sent);
      auto ends = stream(kind);
      io::write_all(ends.write.get(), sent);
      const auto start = std::chrono::steady_clock::now();
      const double cpu = cpu_seconds();
      CHECK_FALSE(asked_host::peek(ends.read.get(), 300ms));
      const auto took = std::chrono::steady_clock::now() - start;
      CHECK(took >= 300ms);
      CHECK(took < 600ms);
      CHECK(cpu_seconds() - cpu < 0.1);
      ends.write.reset();
      CHECK(all_of(ends.read.get()) == sent);
    }
  }
}

TEST_CASE("asked_host: peek leaves alone what it cannot look at") {
  const auto null = fd::open("/dev/null", O_RDONLY);
  CHECK_FALSE(asked_host::peek(null.get(), 5s));
  CHECK_FALSE(asked_host::peek(-1, 5s));
  char name[] = "/tmp/asked-host-XXXXXX";
  const Fd file(::mkstemp(name));
  ::unlink(name);
  io::write_all(file.get(), kLine);
  ::lseek(file.get(), 0, SEEK_SET);
  CHECK_FALSE(asked_host::peek(file.get(), 5s));
  CHECK(all_of(file.get()) == kLine);
}
