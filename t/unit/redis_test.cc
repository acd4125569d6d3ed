#include "cluster/redis.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/core.h>

#include "../../cmd/asp-redis/link.h"
#include "../../cmd/asp-redis/resp.h"
#include "base/child.h"
#include "base/failure.h"
#include "base/fd.h"
#include "cluster/redis_message.h"
#include "cluster/redis_password.h"
#include "config/config.h"

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

std::optional<resp::Answer> answered(const std::string& text, std::size_t piece = 1 << 20) {
  resp::Parser parser;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    parser.add(std::string_view(text).substr(at, piece));
    if (auto answer = parser.pop()) return answer;
  }
  return std::nullopt;
}

std::optional<redis::Reply> parsed(const std::string& text, std::size_t piece = 1 << 20) {
  const auto answer = answered(text, piece);
  return answer ? std::optional(std::get<redis::Reply>(*answer)) : std::nullopt;
}

// What the failure says; empty: there was none.
std::string failure_of(const std::function<void()>& work, int code = tool::temporary) {
  try {
    work();
  } catch (const tool::Failure& failure) {
    CHECK(failure.code() == code);
    return failure.what();
  }
  return {};
}

Fd listen_on_loopback(Port port = 0) {
  Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_storage address;
  const socklen_t length = Endpoint{*IpAddress::parse("127.0.0.1"), port}.to_sockaddr(address);
  REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0);
  REQUIRE(::listen(listener.get(), 16) == 0);
  return listener;
}

Endpoint end_of(const Fd& socket) {
  sockaddr_storage address;
  socklen_t length = sizeof address;
  REQUIRE(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
  return Endpoint::from_sockaddr(reinterpret_cast<const sockaddr&>(address));
}

// Somebody who listens, and does with each connection, one after the other, what
// `manners` say; none: he accepts nothing, but his kernel does.
class Fake {
 public:
  using Manners = std::function<void(int connection)>;
  explicit Fake(Manners manners = {}) : listener_(listen_on_loopback()), end_(end_of(listener_)) {
    if (manners) {
      thread_ = std::thread([this, manners] {
        for (;;) {
          const Fd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
          if (!connection) return;
          manners(connection.get());
        }
      });
    }
  }
  ~Fake() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
  }
  const Endpoint& end() const { return end_; }

 private:
  Fd listener_;
  Endpoint end_;
  std::thread thread_;
};

// One who reads something, then says this.
Fake::Manners says(const std::string& text) {
  return [text](int connection) {
    char bytes[4096];
    if (::recv(connection, bytes, sizeof bytes, 0) <= 0) return;
    ::send(connection, text.data(), text.size(), MSG_NOSIGNAL);
    while (::recv(connection, bytes, sizeof bytes, 0) > 0) {
    }
  };
}

const std::string kMasterRole = "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n";

redis::Terms terms_of(const std::vector<Endpoint>& servers, const std::vector<Endpoint>& sentinels = {}) {
  return {false, servers, sentinels, ""};
}

std::string naming(const Endpoint& master) {
  return resp::command({master.ip.text(), std::to_string(master.port)});  // a list of two texts, as an answer is
}

// Asks until its time is over.
class Asker {
 public:
  explicit Asker(redis::Terms terms, std::chrono::milliseconds patience = 5s)
      : link_(std::move(terms)), deadline_(Clock::now() + patience) {}
  void grant(std::chrono::milliseconds patience) { deadline_ = Clock::now() + patience; }
  std::vector<redis::Reply> ask_all(const std::vector<redis::Command>& commands) {
    return link_.exchange({deadline_, commands});
  }
  redis::Reply ask(const redis::Command& command) { return ask_all({command}).front(); }
  redis::Reply run(std::string_view lua, const std::vector<std::string>& keys, const std::vector<std::string>& words) {
    return ask(redis::script(lua, keys, words));
  }

 private:
  Link link_;
  Clock::time_point deadline_;
};

redis::Reply get(const redis::Terms& terms, std::chrono::milliseconds patience = 5s) {
  return Asker(terms, patience).ask({"GET", "sallyport:x"});
}

// A real Redis or Sentinel on a free port of the loopback.
class Server {
 public:
  explicit Server(const std::vector<std::string>& lines, bool sentinel = false) {
    end_ = end_of(listen_on_loopback());
    char name[] = "/tmp/redis.XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    directory_ = name;
    {
      std::ofstream file(directory_ + "/conf");
      file << fmt::format("bind 127.0.0.1\nport {}\nprotected-mode no\ndir {}\nlogfile {}/log\n", end_.port, directory_,
                          directory_);
      for (const auto& line : lines) file << line << "\n";
    }
    std::vector<std::string> argv{"/usr/bin/redis-server", directory_ + "/conf"};
    if (sentinel) argv.push_back("--sentinel");
    child_ = child::spawn({argv, {}, {}});
    const auto deadline = Clock::now() + 10s;
    while (!listens() && Clock::now() < deadline) std::this_thread::sleep_for(10ms);
    REQUIRE(listens());
  }
  ~Server() {
    child_.end();
    std::filesystem::remove_all(directory_);
  }
  const Endpoint& end() const { return end_; }
  // What is in its log so far.
  std::string log() const {
    std::ifstream file(directory_ + "/log");
    return {std::istreambuf_iterator<char>(file), {}};
  }
  const child::Child& process() const { return child_; }
  void end_it() { child_.end(); }

 private:
  bool listens() const {
    const Fd probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_storage address;
    const socklen_t length = end_.to_sockaddr(address);
    return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0;
  }
  Endpoint end_;
  std::string directory_;
  child::Child child_;
};

// A Sentinel that the machine let wait for 2 s does nothing for the next 30 s (its TILT mode).
bool eventually(const std::function<bool()>& true_now) {
  const auto deadline = Clock::now() + 60s;
  while (Clock::now() < deadline) {
    if (true_now()) return true;
    std::this_thread::sleep_for(20ms);
  }
  return false;
}

const std::vector<std::string> kPlain{"save \"\"", "appendonly no"};

}  // namespace

TEST_CASE("resp: a command is a list of texts, whatever bytes they are of") {
  CHECK(resp::command({"GET", ""}) == "*2\r\n$3\r\nGET\r\n$0\r\n\r\n");
  CHECK(resp::command({std::string("a\r\n\0", 4)}) == std::string("*1\r\n$4\r\na\r\n\0\r\n", 14));
}

TEST_CASE("resp: answers of each kind, however they are cut") {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{4096}}) {
    CHECK(parsed("+OK\r\n", piece)->text() == "OK");
    CHECK(parsed(":-12\r\n", piece)->integer() == -12);
    CHECK(parsed("$-1\r\n", piece)->is_nil());
    CHECK(parsed("*-1\r\n", piece)->is_nil());
    CHECK(parsed("$0\r\n\r\n", piece)->text().empty());
    CHECK(parsed("$4\r\na\r\nb\r\n", piece)->text() == "a\r\nb");
    CHECK(parsed("*0\r\n", piece)->array().empty());
    CHECK(std::get<resp::Error>(*answered("-ERR no\r\n", piece)).text == "ERR no");
    const auto list = parsed("*3\r\n*2\r\n:1\r\n*0\r\n$1\r\nx\r\n*1\r\n*1\r\n:7\r\n", piece);
    REQUIRE(list);
    REQUIRE(list->array().size() == 3);
    CHECK(list->array()[0].array()[0].integer() == 1);
    CHECK(list->array()[1].text() == "x");
    CHECK(list->array()[2].array()[0].array()[0].integer() == 7);
  }
  resp::Parser parser;
  parser.add("+a\r\n+b\r\n+c");
  const auto popped = [&] { return std::get<redis::Reply>(*parser.pop()).text(); };
  CHECK(popped() == "a");
  CHECK(popped() == "b");
  CHECK_FALSE(parser.pop());
  CHECK_FALSE(parser.empty());
  parser.add("\r\n");
  CHECK(popped() == "c");
  CHECK(parser.empty());
}

TEST_CASE("resp: what is not an answer, or too large a one, is refused") {
  const std::string deep(20, '*');
  for (const std::string& text :
       {std::string("hello\r\n"), std::string("\r\n"), std::string(":1x\r\n"), std::string(":\r\n"),
        std::string("$x\r\n"), std::string("$-2\r\n"), std::string("$99999999999999999999\r\n"),
        std::string("$3\r\nabcde"), std::string("$99999999\r\n"), std::string("*99999999\r\n"), std::string("*-2\r\n"),
        std::string("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"), std::string("*1\r\n*1\r\n*1\r\n*1\r\n*0\r\n"),
        std::string("+") + std::string(5000, 'x'), std::string("*1\r\n-ERR no\r\n"), std::string("%1\r\n"),
        std::string("\x16\x03\x01\r\n")}) {
    CAPTURE(text);
    CHECK(failure_of([&] { parsed(text); }) != "");
  }
  // The deepest that is accepted can be handed on.
  redis::message::Inbox inbox;
  inbox.add(redis::message::pack({"", {*parsed("*1\r\n*1\r\n*1\r\n*0\r\n")}}));
  CHECK(inbox.pop());
  // Each of these lists is small enough, but not all together.
  std::string list = "*20\r\n";
  for (int i = 0; i < 20; ++i) list += "$-1\r\n";
  std::string lists = "*1000000\r\n";
  for (int i = 0; i < 60000; ++i) lists += list;
  CHECK(failure_of([&] { parsed(lists); }) != "");
  CHECK(failure_of([] {
          resp::Parser parser;
          for (;;) parser.add(std::string(1 << 20, 'x'));
        }) != "");
  CHECK(failure_of([] { static_cast<void>(parsed(":1\r\n")->text()); }) != "");
  CHECK(failure_of([] { static_cast<void>(parsed("+1\r\n")->integer()); }) != "");
  CHECK(failure_of([] { static_cast<void>(parsed("$-1\r\n")->array()); }) != "");
}

TEST_CASE("redis: whoever does not answer costs the patience, all calls together, and no more") {
  const Fake silent;
  Asker client(terms_of({silent.end()}), 150ms);
  const auto started = Clock::now();
  CHECK(failure_of([&] { client.ask({"PING"}); }).find("does not answer in time") != std::string::npos);
  CHECK(failure_of([&] { client.ask({"PING"}); }).find("does not answer in time") != std::string::npos);
  const auto took = Clock::now() - started;
  CHECK(took >= 140ms);
  CHECK(took < 5s);  // the machine may be busy
  client.grant(20ms);
  CHECK(failure_of([&] { client.ask({"PING"}); }).find("does not answer in time") != std::string::npos);
}

TEST_CASE("redis: one byte at a time does not stretch the patience") {
  const Fake slow([](int connection) {
    while (::send(connection, "*", 1, MSG_NOSIGNAL) == 1) std::this_thread::sleep_for(20ms);
  });
  const Fake dripping([](int connection) {
    const std::string text = "+" + std::string(2000, 'x');
    for (const char& each : text) {
      if (::send(connection, &each, 1, MSG_NOSIGNAL) != 1) return;
      std::this_thread::sleep_for(10ms);
    }
  });
  CHECK(failure_of([&] { get(terms_of({slow.end()}), 150ms); }) != "");
  const auto started = Clock::now();
  CHECK(failure_of([&] { get(terms_of({dripping.end()}), 150ms); }).find("in time") != std::string::npos);
  CHECK(Clock::now() - started < 5s);
}

TEST_CASE("redis: garbage, too much, an early end, and answers that nobody asked for are failures") {
  for (const std::string& text : {std::string("HTTP/1.1 400 Bad Request\r\n\r\n"), std::string("$99999999999\r\n"),
                                  std::string("*2\r\n"), kMasterRole + "+a\r\n+b\r\n", std::string("+OK\r\n+OK\r\n"),
                                  std::string("*0\r\n+OK\r\n"), std::string("*1\r\n:5\r\n+OK\r\n")}) {
    CAPTURE(text);
    const Fake fake(says(text));
    CHECK(failure_of([&] { get(terms_of({fake.end()}), 300ms); }) != "");
  }
  const Fake closing([](int) {});
  CHECK(failure_of([&] { get(terms_of({closing.end()})); }) != "");
  const Fake endless([](int connection) {
    const std::string much = "$1048576\r\n" + std::string(1048576, 'x') + "\r\n";
    std::string text = "*1000\r\n";
    do {
      text += much;
    } while (::send(connection, text.data(), text.size(), MSG_NOSIGNAL) > 0 && (text.clear(), true));
  });
  CHECK(failure_of([&] { get(terms_of({endless.end()}), 30s); }).find("too large") != std::string::npos);
  const Endpoint nobody = end_of(listen_on_loopback());
  CHECK(failure_of([&] { get(terms_of({nobody})); }).find("Connection refused") != std::string::npos);
}

TEST_CASE("redis: a replica is not asked, and not believed") {
  const Fake replica(says("*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:1\r\n$9\r\nconnected\r\n:0\r\n$3\r\nold\r\n"));
  CHECK(failure_of([&] { get(terms_of({replica.end()})); }).find("it is not master") != std::string::npos);
}

TEST_CASE(
    "redis: the first Sentinel that names a master of <redis> counts; silent, dead, lying and ignorant ones do not") {
  const Fake master(says(kMasterRole + "$5\r\nhello\r\n"));
  const Fake silent;
  const Fake ignorant(says("*-1\r\n"));
  const Fake refusing(says("-NOAUTH Authentication required.\r\n"));
  const Fake lying(says("*2\r\n$9\r\n127.0.0.2\r\n$4\r\n6379\r\n"));
  const Fake babbling(says("*2\r\n$9\r\nlocalhost\r\n$4\r\n6379\r\n"));
  const Fake knowing(says(naming(master.end())));
  const Endpoint nobody = end_of(listen_on_loopback());
  CHECK(get(terms_of({master.end()}, {silent.end(), nobody, ignorant.end(), refusing.end(), lying.end(), babbling.end(),
                                      knowing.end()}))
            .text() == "hello");
  for (const auto& useless : {&ignorant, &refusing, &lying, &babbling}) {
    CHECK(failure_of([&] {
            get(terms_of({master.end()}, {useless->end(), nobody}));
          }).find("none names a master") != std::string::npos);
  }
  CHECK(failure_of([&] {
          get(terms_of({master.end()}, {lying.end()}));
        }).find("127.0.0.2:6379, which is not in <redis>") != std::string::npos);
  CHECK(failure_of([&] {
          get(terms_of({master.end()}, {nobody, nobody}));
        }).find("none names a master") != std::string::npos);
  CHECK(failure_of([&] {
          get(terms_of({master.end()}, {silent.end(), ignorant.end()}), 100ms);
        }).find("none answers in time") != std::string::npos);
}

TEST_CASE("redis: the password is read from a file of our own alone") {
  const std::string path = "/tmp/redis-password." + std::to_string(::getpid());
  std::ofstream(path) << "secret-1\n";
  ::chmod(path.c_str(), 0600);
  CHECK(redis::password_in(path) == "secret-1");
  ::chmod(path.c_str(), 0640);
  CHECK(failure_of([&] { redis::password_in(path); }, tool::config) != "");
  ::chmod(path.c_str(), 0600);
  for (const char* text : {"", "\n", "two words\n", "two\nlines\n", "quote\"\n"}) {
    std::ofstream(path) << text;
    CHECK(failure_of([&] { redis::password_in(path); }, tool::config) != "");
  }
  ::unlink(path.c_str());
  CHECK(failure_of([&] { redis::password_in(path); }, tool::config) != "");
  CHECK(failure_of([] { redis::Client(config::Cluster{}, 1s); }, tool::config) != "");
}

TEST_CASE("redis: a real one, with its password") {
  auto lines = kPlain;
  lines.push_back("requirepass secret-1");
  const Server server(lines);
  auto terms = terms_of({server.end()});
  CHECK(failure_of([&] { get(terms); }).find("NOAUTH") != std::string::npos);
  terms.password = "secret-1";
  Asker client(terms, 20s);
  CHECK(client.ask({"SET", "sallyport:x", std::string("a\r\n\0b", 5), "PX", "60000"}).text() == "OK");
  CHECK(client.ask({"GET", "sallyport:x"}).text() == std::string("a\r\n\0b", 5));
  CHECK(client.ask({"GET", "sallyport:none"}).is_nil());
  CHECK(client.run("return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}", {"sallyport:n"}, {"x y"})
            .array()[2]
            .integer() == 1);
  const auto both = client.ask_all(
      {{"INCR", "sallyport:n"}, redis::script("return redis.call('INCR', KEYS[1])", {"sallyport:n"}, {})});
  REQUIRE(both.size() == 2);
  CHECK(both[1].integer() == 3);
  CHECK(client.ask_all(std::vector<redis::Command>(1000, {"INCR", "sallyport:n"})).back().integer() == 1003);
  CHECK(failure_of([&] { client.ask({"NONSENSE"}); }).find("unknown command") != std::string::npos);
  CHECK(client.ask({"PING"}).text() == "PONG");  // connects anew
  const std::string large(8 << 20, 'x');
  client.ask({"SET", "sallyport:large", large});
  CHECK(client.ask({"GET", "sallyport:large"}).text() == large);
  CHECK(failure_of([&] {
          client.run("local t = {} for i = 1, 5 do t[i] = redis.call('GET', KEYS[1]) end return t", {"sallyport:large"},
                     {});
        }).find("too large") != std::string::npos);
  // One that was idle while Redis closed it is made anew.
  client.ask({"PING"});
  CHECK(Asker(terms, 20s).ask({"CLIENT", "KILL", "TYPE", "normal"}).integer() == 1);
  CHECK(client.ask({"PING"}).text() == "PONG");
  terms.password = "wrong";
  CHECK(failure_of([&] { get(terms); }).find("WRONGPASS") != std::string::npos);

  // Stopped, its kernel still accepts.
  server.process().signal(SIGSTOP);
  client.grant(100ms);
  CHECK(failure_of([&] { client.ask({"PING"}); }).find("in time") != std::string::npos);
  server.process().signal(SIGCONT);
  client.grant(20s);
  CHECK(client.ask({"PING"}).text() == "PONG");
}

TEST_CASE("redis: real Sentinels name another master when the first dies") {
  auto lines = kPlain;
  lines.push_back("repl-diskless-sync-delay 0");
  Server first(lines);
  Asker alone(terms_of({first.end()}), 30s);
  lines.push_back(fmt::format("replicaof 127.0.0.1 {}", first.end().port));
  const Server second(lines);
  CHECK(failure_of([&] { get(terms_of({second.end()})); }).find("it is not master") != std::string::npos);
  CHECK(alone.ask({"SET", "sallyport:x", "kept"}).text() == "OK");
  REQUIRE(eventually([&] { return alone.ask({"WAIT", "1", "100"}).integer() == 1; }));
  const Server sentinel({fmt::format("sentinel monitor sallyport 127.0.0.1 {} 1", first.end().port),
                         "sentinel down-after-milliseconds sallyport 200", "sentinel failover-timeout sallyport 2000"},
                        true);
  // A Sentinel looks for replicas at its start, and every 10 s. Of one that it never saw it makes no master.
  REQUIRE(eventually([&] { return sentinel.log().find("+slave slave ") != std::string::npos; }));
  Asker client(terms_of({first.end(), second.end()}, {sentinel.end()}), 30s);
  CHECK(client.ask({"GET", "sallyport:x"}).text() == "kept");
  first.end_it();
  CHECK(eventually([&] {
    std::string value;
    client.grant(5s);
    failure_of([&] { value = client.ask({"GET", "sallyport:x"}).text(); });
    return value == "kept";
  }));
  CHECK(client.ask({"SET", "sallyport:y", "new"}).text() == "OK");
}
