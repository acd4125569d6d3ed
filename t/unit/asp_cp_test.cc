#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <future>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "../../cmd/asp-cp/arguments.h"
#include "../../cmd/asp-cp/channels.h"
#include "../../cmd/asp-cp/check_blame.h"
#include "../../cmd/asp-cp/control.h"
#include "../../cmd/asp-cp/digest.h"
#include "../../cmd/asp-cp/hello.h"
#include "../../cmd/asp-cp/probe.h"
#include "../../cmd/asp-cp/progress.h"
#include "../../cmd/asp-cp/protocol.h"
#include "../../cmd/asp-cp/receiver.h"
#include "../../cmd/asp-cp/ssh_story.h"
#include "../../cmd/asp-cp/target.h"
#include "../../cmd/asp-cp/transport.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/record.h"

using namespace asp_cp;

namespace {

int code_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const tool::Failure& failure) {
    return failure.code();
  }
  return tool::yes;
}

Command parse(std::vector<std::string> words) {
  words.insert(words.begin(), "asp-cp");
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  return Command::parse(static_cast<int>(words.size()), argv.data());
}

const std::string kSecret(64, 'a');
const std::string kSession = "00112233445566778899aabbccddeeff";

}  // namespace

TEST_CASE("asp-cp operands: what is remote and what is local") {
  struct Case {
    const char* operand;
    const char* user;
    const char* host;
    const char* path;
  };
  for (const Case& one :
       {Case{"file", "", "", "file"}, Case{"./a:b", "", "", "./a:b"}, Case{"/a:b", "", "", "/a:b"},
        Case{"-dash", "", "", "-dash"}, Case{"a[1", "", "", "a[1"}, Case{"host:/a", "", "host", "/a"},
        Case{"host:", "", "host", ""}, Case{"bear@host:a b", "bear", "host", "a b"},
        Case{"bear@corp@host:a", "bear@corp", "host", "a"}, Case{"host:a:b", "", "host", "a:b"},
        Case{"[2001:db8::1]:/a", "", "2001:db8::1", "/a"}, Case{"bear@[2001:db8::1]:", "bear", "2001:db8::1", ""},
        Case{"be ar@host:x", "be ar", "host", "x"}, Case{"CORP\\bear@host:x", "CORP\\bear", "host", "x"},
        Case{"j\xc3\xbcrgen@host:x", "j\xc3\xbcrgen", "host", "x"}, Case{"10.0.0.1:x", "", "10.0.0.1", "x"},
        Case{"[host]:x", "", "host", "x"}}) {
    CAPTURE(one.operand);
    const Place place = Place::parse(one.operand);
    CHECK(place.user == one.user);
    CHECK(place.host == one.host);
    CHECK(place.path == one.path);
  }
  for (const char* operand :
       {"", ":x", "@host:x", "bear@:x", "-oProxyCommand=x:y", "-l@host:x", "ho st:x", "ho$st:x", "h;id:x",
        "be\tar@host:x", " bear@host:x", "be,ar@host:x", "b\xfc@host:x", "h\nost:x", "[]:x"}) {
    CAPTURE(operand);
    CHECK(code_of([&] { Place::parse(operand); }) == tool::usage);
  }
  CHECK(code_of([] { Place::parse("h:" + std::string(kMaxPath, 'x')); }) == tool::yes);
  CHECK(code_of([] { Place::parse("h:" + std::string(kMaxPath + 1, 'x')); }) == tool::usage);
}

TEST_CASE("asp-cp command line: one end is remote, and only one") {
  const auto up =
      parse({"-P", "2222", "-O", "40000", "-l", "100M", "-q", "-i", "key", "-F", "conf", "a", "b", "bear@host:/in"});
  CHECK(up.upload);
  CHECK(up.far.host == "host");
  CHECK(up.far.user == "bear");
  CHECK(up.sources == std::vector<std::string>{"a", "b"});
  CHECK(up.target == "/in");
  CHECK(up.ssh_port == 2222);
  CHECK(up.udp_port == 40000);
  CHECK(up.rate == 100'000'000);
  CHECK(up.quiet);
  CHECK_FALSE(up.recursive);
  const auto down = parse({"-rv", "host:a", "host:b/c", "."});
  CHECK_FALSE(down.upload);
  CHECK(down.recursive);
  CHECK(down.verbose);
  CHECK(down.sources == std::vector<std::string>{"a", "b/c"});
  CHECK(down.target == ".");
  CHECK_FALSE(down.ssh_port);
  CHECK(down.udp_port == 33001);
  CHECK(parse({"--", "-a", "host:"}).sources[0] == "-a");
  CHECK(parse({"-S"}).server);
  CHECK(parse({"-S", "-d", "."}).docroot == ".");
  for (const char* verb : {"--ls", "--du", "--mkdir", "--rm"}) CHECK(parse({verb, "-q", "h:a"}).quiet);
  CHECK(parse({"--mv", "-q", "h:a", "h:b"}).quiet);
  const auto ls = parse({"--ls", "--json", "-P", "33001", "bear@h:/a", "bear@h:"});
  CHECK(ls.browse == asp_cp::Browse::ls);
  CHECK(ls.json);
  CHECK(ls.sources == std::vector<std::string>{"/a", "."});
  CHECK(ls.far.user == "bear");
  CHECK(parse({"--mv", "h:a", "h:b"}).sources == std::vector<std::string>{"a", "b"});
  CHECK(parse({"-S", "-u", "token"}).uploads == asp_cp::Permission::token);
  CHECK(parse({"-S", "-u", "token"}).downloads == asp_cp::Permission::allow);
  CHECK(parse({"-S", "-w", "deny"}).downloads == asp_cp::Permission::deny);

  for (const std::vector<std::string>& words : {std::vector<std::string>{},
                                                {"a"},
                                                {"a", "b"},
                                                {"h:a", "h:b"},
                                                {"h:a", "g:b", "c"},
                                                {"u@h:a", "h:b", "c"},
                                                {"h:a", "b", "c"},
                                                {"h:", "c"},
                                                {"h:..", "c"},
                                                {"h:a/.", "c"},
                                                {".", "h:"},
                                                {"-S", "x"},
                                                {"-S", "-q"},
                                                {"-S", "-u", "x"},
                                                {"-S", "--ls"},
                                                {"--ls"},
                                                {"--ls", "a"},
                                                {"--ls", "h:a", "g:b"},
                                                {"--ls", "--rm", "h:a"},
                                                {"--ls", "-r", "h:a"},
                                                {"--mv", "h:a"},
                                                {"--mv", "h:a", "h:b", "h:c"},
                                                {"--rm", "--json", "h:a"},
                                                {"--json", "a", "h:b"},
                                                {"-u", "allow", "a", "h:"},
                                                {"-d", ".", "a", "h:"},
                                                {"-O", "0", "a", "h:"},
                                                {"-O", "65536", "a", "h:"},
                                                {"-P", "x", "a", "h:"},
                                                {"-l", "fast", "a", "h:"},
                                                {"-z", "a", "h:"},
                                                {"-l"}}) {
    CAPTURE(words.size());
    CHECK(code_of([&] { parse(words); }) == tool::usage);
  }
}

TEST_CASE("asp-cp rates: bits a second, with K, M or G") {
  CHECK(parse_rate("100K") == 100'000);
  CHECK(parse_rate("100000") == 100'000);
  CHECK(parse_rate("100m") == 100'000'000);
  CHECK(parse_rate("1.5G") == 1'500'000'000);
  CHECK(parse_rate("0.125M") == 125'000);
  CHECK(parse_rate("100G") == 100'000'000'000);
  for (const char* text :
       {"",      "M",    "99K", "99999", "100.001G", "101G",    "1e9",      "-1M", "+1M",
        " 1M",   "1 M",  "1MM", "1.M",   ".5M",      "1.2345M", "100000.5", "0",   "99999999999999999999G",
        "1.-5M", "0x10M"}) {
    CAPTURE(text);
    CHECK(code_of([&] { parse_rate(text); }) == tool::usage);
  }
}

TEST_CASE("asp-cp names: base names and partial names") {
  CHECK(base_name("a") == "a");
  CHECK(base_name("/x/a") == "a");
  CHECK(base_name("x/a//") == "a");
  CHECK(base_name("...") == "...");
  for (const char* path : {"", "/", "//", ".", "..", "x/..", "x/./"}) {
    CAPTURE(path);
    CHECK(code_of([&] { base_name(path); }) == tool::usage);
  }
  CHECK(partial_name("a") == ".a.asp-part");
  CHECK(partial_name(std::string(245, 'x')).size() == 255);
  const std::string cut = partial_name(std::string(246, 'x'));
  CHECK(cut.size() <= 255);
  CHECK(cut != partial_name(std::string(247, 'x')));
}

TEST_CASE("asp-cp names: any bytes but NUL cross the wire") {
  std::string every;
  for (int byte = 1; byte < 256; ++byte) every += static_cast<char>(byte);
  CHECK(decode(encode(every)) == every);
  Record record;
  CHECK_NOTHROW(record.add("path", encode(every)));
  CHECK(encode("a b\n%\x7f") == "a b%0A%25%7F");
  for (const char* text : {"%", "%0", "%0a", "%00", "a%", "%G0", "% 1", "%41", "a\nb", "%FF"}) {
    CAPTURE(text);
    CHECK(code_of([&] { decode(text); }) == tool::bad_input);
  }
}

TEST_CASE("asp-cp names: a path from the other end cannot lead elsewhere") {
  CHECK(split_path("a") == std::vector<std::string>{"a"});
  CHECK(split_path("a/b c/...").size() == 3);
  CHECK_NOTHROW(split_path(std::string(255, 'x')));
  std::string deep = "a";
  for (int i = 1; i < 64; ++i) deep += "/a";
  CHECK_NOTHROW(split_path(deep));
  const std::string nul("a\0b", 3);
  std::string wide = std::string(200, 'x');
  while (wide.size() <= kMaxPath) wide += "/" + std::string(200, 'x');
  for (const std::string& path :
       {std::string(), std::string("/"), std::string("/etc/passwd"), std::string(".."), std::string("."),
        std::string("../a"), std::string("a/../b"), std::string("a/.."), std::string("a//b"), std::string("a/"),
        std::string("./a"), std::string(256, 'x'), deep + "/a", nul, wide}) {
    CAPTURE(path);
    CHECK(code_of([&] { split_path(path); }) == tool::bad_input);
  }
}

TEST_CASE("asp-cp protocol: what is written is what is read") {
  Open open;
  open.upload = false;
  open.passphrase = kSecret;
  open.rate = 5'000'000;
  open.recursive = true;
  open.target = "a\nb%";
  open.into_directory = true;
  const Open again = Open::parse(record::parse_one(open.record().text()));
  CHECK_FALSE(again.upload);
  CHECK(again.passphrase == kSecret);
  CHECK(again.rate == 5'000'000);
  CHECK(again.recursive);
  CHECK(again.target == "a\nb%");
  CHECK(again.into_directory);

  const FileHead head{"a/\xff%\n", kMaxSize, 0755, {-5, 7}};
  const FileHead same = FileHead::parse(record::parse_one(head.record().text()));
  CHECK(same.path == head.path);
  CHECK(same.size == kMaxSize);
  CHECK(same.mode == 0755);
  CHECK(same.mtime.tv_sec == -5);
  CHECK(same.mtime.tv_nsec == 7);

  const Answer answer = Answer::parse(Answer{kSession, 33001}.record());
  CHECK(answer.session == kSession);
  CHECK(answer.udp_port == 33001);
  CHECK(Reached::parse(Reached{7}.record()).candidate == 7);
  CHECK(Want::parse(Want{"../x"}.record()).path == "../x");
  CHECK(DirectoryHead::parse(DirectoryHead{"d", 0700}.record()).path == "d");
  CHECK(Have::parse(Have{0, ""}.record()).size == 0);
  CHECK(Have::parse(Have{9, kSecret}.record()).sha256 == kSecret);
  CHECK(Data::parse(Data{9}.record()).offset == 9);
  CHECK(Digest::parse(Digest{kSecret}.record()).sha256 == kSecret);
  const Stopped stopped = Stopped::parse(Stopped{3, tool::io, "why\n"}.record());
  CHECK(stopped.offset == 3);
  CHECK(stopped.reason == "why\n");
  const Complaint complaint = Complaint::parse(Complaint{tool::not_permitted, std::string(9999, 'x')}.record("failed"));
  CHECK(complaint.code == tool::not_permitted);
  CHECK(complaint.reason.size() == kMaxReason);
  CHECK_NOTHROW(check_plain(plain("bye")));
}

TEST_CASE("asp-cp protocol: the longest legal path fits a record") {
  std::string path = std::string(200, '\n');
  while (path.size() + 201 <= kMaxPath) path += "/" + std::string(200, '\n');
  CHECK(FileHead::parse(record::parse_one(FileHead{path, 1, 0, {}}.record().text())).path == path);
}

TEST_CASE("asp-cp protocol: whatever breaks a message is refused") {
  struct Case {
    void (*parse)(const Record&);
    const char* name;
    const char* value;  // nullptr: missing
    int code;
  };
  const auto in_open = [](const Record& record) { Open::parse(record); };
  const auto in_answer = [](const Record& record) { Answer::parse(record); };
  const auto in_file = [](const Record& record) { FileHead::parse(record); };
  const auto in_directory = [](const Record& record) { DirectoryHead::parse(record); };
  const auto in_have = [](const Record& record) { Have::parse(record); };
  const auto in_stopped = [](const Record& record) { Stopped::parse(record); };
  const auto in_data = [](const Record& record) { Data::parse(record); };
  const auto in_digest = [](const Record& record) { Digest::parse(record); };
  Open open;
  open.passphrase = kSecret;
  const std::vector<std::pair<void (*)(const Record&), Record>> good = {
      {in_open, open.record()},
      {in_answer, Answer{kSession, 1}.record()},
      {in_file, FileHead{"a", 1, 0, {}}.record()},
      {in_directory, DirectoryHead{"a", 0}.record()},
      {in_have, Have{1, kSecret}.record()},
      {in_stopped, Stopped{1, tool::io, "x"}.record()},
      {in_data, Data{1}.record()},
      {in_digest, Digest{kSecret}.record()}};
  for (const auto& [parse, record] : good) {
    CHECK(code_of([&] { parse(record); }) == tool::yes);
    // Each field missing, doubled, or one too many.
    for (const auto& [name, value] : record.fields()) {
      CAPTURE(name);
      Record less;
      for (const auto& [other, its] : record.fields()) {
        if (other != name) less.add(other, its);
      }
      const bool optional =
          name == "say" && (parse == +in_file || parse == +in_directory || parse == +in_have || parse == +in_stopped);
      if (!optional) CHECK(code_of([&, &check = parse] { check(less); }) == tool::bad_input);
      Record twice = record;
      twice.add(name, value);
      CHECK(code_of([&, &check = parse] { check(twice); }) == tool::bad_input);
    }
    Record more = record;
    more.add("extra", "1");
    CHECK(code_of([&, &check = parse] { check(more); }) == tool::bad_input);
  }
  for (const Case& one : {Case{in_open, "asp_cp", "2", tool::untrusted},
                          Case{in_open, "asp_cp", "x", tool::bad_input},
                          Case{in_open, "direction", "sideways", tool::bad_input},
                          Case{in_open, "passphrase", "short", tool::bad_input},
                          Case{in_open, "rate", "99999", tool::bad_input},
                          Case{in_open, "rate", "100000000001", tool::bad_input},
                          Case{in_open, "recursive", "2", tool::bad_input},
                          Case{in_open, "target", "%00", tool::bad_input},
                          Case{in_open, "say", "answer", tool::bad_input},
                          Case{in_answer, "session", "xyz", tool::bad_input},
                          Case{in_answer, "udp_port", "65536", tool::bad_input},
                          Case{in_file, "path", "../a", tool::bad_input},
                          Case{in_file, "path", "/a", tool::bad_input},
                          Case{in_file, "path", "a%2F..", tool::bad_input},
                          Case{in_file, "path", "", tool::bad_input},
                          Case{in_file, "size", "-1", tool::bad_input},
                          Case{in_file, "size", "", tool::bad_input},
                          Case{in_file, "size", "01", tool::bad_input},
                          Case{in_file, "size", "4611686018427387905", tool::bad_input},
                          Case{in_file, "size", "99999999999999999999", tool::bad_input},
                          Case{in_file, "mode", "512", tool::bad_input},
                          Case{in_file, "mode", "2541", tool::bad_input},
                          Case{in_file, "mtime", "1", tool::bad_input},
                          Case{in_file, "mtime", "1.0", tool::bad_input},
                          Case{in_file, "mtime", "1.-00000001", tool::bad_input},
                          Case{in_file, "mtime", "99999999999999.000000000", tool::bad_input},
                          Case{in_file, "mtime", ".000000000", tool::bad_input},
                          Case{in_file, "mtime", "-0.000000000", tool::bad_input},
                          Case{in_file, "mtime", "007.000000000", tool::bad_input},
                          Case{in_directory, "path", "a/..", tool::bad_input},
                          Case{in_have, "size", "0", tool::bad_input},
                          Case{in_have, "sha256", "00", tool::bad_input},
                          Case{in_stopped, "code", "0", tool::bad_input},
                          Case{in_stopped, "code", "3", tool::bad_input},
                          Case{in_data, "offset", "1 ", tool::bad_input},
                          Case{in_digest, "sha256", "ZZ", tool::bad_input}}) {
    CAPTURE(one.name);
    CAPTURE(one.value);
    for (const auto& [parse, record] : good) {
      if (parse != one.parse) continue;
      Record changed = record;
      changed.set(one.name, one.value);
      CHECK(code_of([&] { one.parse(changed); }) == one.code);
    }
  }
}

TEST_CASE("asp-cp hello: only this session's own is recognised") {
  const std::string hello = make_hello(kSession, 3, kSecret);
  REQUIRE(hello.size() == kHelloSize);
  CHECK(session_of_hello(hello) == kSession);
  CHECK(recognise_hello(hello, kSession, kSecret) == 3);
  CHECK_FALSE(recognise_hello(hello, "ff112233445566778899aabbccddeeff", kSecret));
  CHECK_FALSE(recognise_hello(hello, kSession, std::string(64, 'b')));
  for (std::size_t i = 0; i < hello.size(); ++i) {
    std::string forged = hello;
    forged[i] = static_cast<char>(forged[i] ^ 1);
    CAPTURE(i);
    CHECK_FALSE(recognise_hello(forged, kSession, kSecret));
  }
  CHECK_FALSE(session_of_hello(hello.substr(1)));
  CHECK_FALSE(session_of_hello(hello + "x"));
  CHECK_FALSE(session_of_hello(""));
}

TEST_CASE("asp-cp digest: SHA-256 as published, and in the middle") {
  Sha256 digest;
  CHECK(digest.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  digest.add("ab", 2);
  digest.hex();
  digest.add("c", 1);
  CHECK(digest.hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(random_hex(32).size() == 64);
  CHECK(random_hex(32) != random_hex(32));
}

TEST_CASE("asp-cp progress: the line fills its width, whatever the name") {
  CHECK(amount(0) == "0 B");
  CHECK(amount(999) == "999 B");
  CHECK(amount(1000) == "1.0 kB");
  CHECK(amount(999.96e6) == "1.0 GB");
  CHECK(amount(84e6) == "84.0 MB");
  const std::string line = progress_line("report.pdf", 42, 100, 42, 2.0, 80);
  CHECK(line.size() == 80);
  CHECK(line.find("report.pdf") == 0);
  CHECK(line.find(" 42%") != line.npos);
  CHECK(line.find("00:02 ETA") != line.npos);
  CHECK(progress_line(std::string(300, 'x'), 0, 100, 0, 0, 60).size() == 60);
  CHECK(progress_line("a\x1b[2J", 1, 1, 1, 1, 80).find('\x1b') == std::string::npos);
  CHECK(progress_line("empty", 0, 0, 0, 0, 80).find("100%") != std::string::npos);
}

namespace {

// Two UDP sockets on the loopback, connected to each other.
std::pair<Fd, Fd> udp_pair() {
  const auto bound = [](sockaddr_in& address) {
    Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
    REQUIRE(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
    return fd;
  };
  sockaddr_in one, other;
  Fd first = bound(one), second = bound(other);
  REQUIRE(::connect(first.get(), reinterpret_cast<sockaddr*>(&other), sizeof other) == 0);
  REQUIRE(::connect(second.get(), reinterpret_cast<sockaddr*>(&one), sizeof one) == 0);
  return {std::move(first), std::move(second)};
}

struct Directory {
  Directory() {
    char name[] = "/tmp/asp-cp-unit.XXXXXX";
    REQUIRE(::mkdtemp(name));
    path = name;
  }
  ~Directory() { [[maybe_unused]] const int status = std::system(("rm -rf " + path).c_str()); }
  std::string read(const std::string& name) const {
    std::ifstream in(path + "/" + name, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
  }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    DIR* list = ::opendir(path.c_str());
    while (const dirent* entry = ::readdir(list)) {
      if (std::string(entry->d_name) != "." && std::string(entry->d_name) != "..") found.push_back(entry->d_name);
    }
    ::closedir(list);
    return found;
  }
  std::string path;
};

constexpr std::chrono::milliseconds kPatience{10'000};
const Tick kNothing = [] {};

// Runs a Receiver that expects `expected` against a peer that says and sends
// what `peer` does; returns the code the Receiver ended with.
int receive_from(const std::string& directory, bool recursive, const std::string& expected,
                 const std::function<void(Control&, Link&)>& peer) {
  auto [near_udp, far_udp] = udp_pair();
  auto pipes = fd::socket_pair();
  std::thread other([&, udp = std::move(far_udp)]() mutable {
    try {
      Control control(pipes.write.get(), pipes.write.get());
      Link link = Link::connect(std::move(udp), {kSecret, 0}, kPatience, kNothing);
      peer(control, link);
      while (control.receive(kPatience)) {  // until the receiver has gone
      }
    } catch (const tool::Failure&) {
    }
  });
  const int code = code_of([&, &udp = near_udp] {
    Control control(pipes.read.get(), pipes.read.get());
    Link link = Link::accept(std::move(udp), {kSecret, 0}, kPatience, kNothing);
    Session session(control, link);
    const Target target = Target::open(directory, true);
    Observer nobody;
    Receiver receiver(session, nobody, target, recursive);
    receiver.expect(expected);
    for (Record message = session.next(); word_of(message) != "bye"; message = session.next()) receiver.take(message);
  });
  pipes.read.reset();
  other.join();
  return code;
}

Record hear(Control& control) {
  auto message = control.receive(kPatience);
  return message ? *message : plain("silence");
}

void send_all(Link& link, const std::string& bytes) {
  for (std::size_t sent = 0; sent < bytes.size();)
    sent += link.send(bytes.data() + sent, bytes.size() - sent, kPatience);
}

// The two ends of a connection, both of this process.
std::pair<Link, Link> linked() {
  auto [near_udp, far_udp] = udp_pair();
  auto far = std::async(std::launch::async, [udp = std::move(far_udp)]() mutable {
    return Link::connect(std::move(udp), {kSecret, 0}, kPatience, kNothing);
  });
  Link near = Link::accept(std::move(near_udp), {kSecret, 0}, kPatience, kNothing);
  return {std::move(near), far.get()};
}

std::string sha256_of(const std::string& bytes) {
  Sha256 digest;
  digest.add(bytes.data(), bytes.size());
  return digest.hex();
}

}  // namespace

TEST_CASE("asp-cp link: only the same passphrase connects") {
  for (const bool same : {true, false}) {
    CAPTURE(same);
    auto [near_udp, far_udp] = udp_pair();
    int far = -1;
    const std::chrono::milliseconds patience = same ? kPatience : std::chrono::milliseconds(1000);
    std::thread other([&, udp = std::move(far_udp)]() mutable {
      far = code_of([&] {
        Link::connect(std::move(udp), {same ? kSecret : std::string(64, 'b'), 0}, patience, kNothing);
      });
    });
    std::optional<Link> held;  // or the other end would see it close at once
    const int near = code_of([&, &udp = near_udp] {
      held.emplace(Link::accept(std::move(udp), {kSecret, 0}, patience, kNothing));
    });
    other.join();
    CHECK(near == (same ? tool::yes : tool::unavailable));
    CHECK(far == (same ? tool::yes : tool::unavailable));
  }
}

TEST_CASE("asp-cp link: it outlives the others of its process") {
  auto [near, far] = linked();
  { const auto [other_near, other_far] = linked(); }
  send_all(far, "hello");
  char bytes[6];
  CHECK(near.receive(bytes, sizeof bytes, kPatience) == 5);
}

TEST_CASE("asp-cp receiver: a file that arrives whole is put in its place") {
  const Directory directory;
  const std::string text(100'000, 'x');
  CHECK(receive_from(directory.path, false, "a", [&](Control& control, Link& link) {
          control.send(FileHead{"a", text.size(), 0640, {1'000'000'000, 5}}.record());
          CHECK(Have::parse(hear(control)).size == 0);
          control.send(Data{0}.record());
          send_all(link, text);
          control.send(Digest{sha256_of(text)}.record());
          CHECK(word_of(hear(control)) == "stored");
          control.send(plain("bye"));
        }) == tool::yes);
  CHECK(directory.read("a") == text);
  struct stat found {};
  REQUIRE(::stat((directory.path + "/a").c_str(), &found) == 0);
  CHECK((found.st_mode & 07777) == 0640);
  CHECK(found.st_mtim.tv_sec == 1'000'000'000);
  CHECK(directory.names().size() == 1);
}

TEST_CASE("asp-cp receiver: a wrong digest leaves nothing, and the session goes on") {
  const Directory directory;
  CHECK(receive_from(directory.path, false, "", [&](Control& control, Link& link) {
          control.send(FileHead{"a", 5, 0640, {}}.record());
          hear(control);
          control.send(Data{0}.record());
          send_all(link, "hello");
          control.send(Digest{sha256_of("HELLO")}.record());
          CHECK(Complaint::parse(hear(control)).code == tool::untrusted);
          control.send(FileHead{"b", 0, 0640, {}}.record());
          hear(control);
          control.send(Data{0}.record());
          control.send(Digest{sha256_of("")}.record());
          CHECK(word_of(hear(control)) == "stored");
          control.send(plain("bye"));
        }) == tool::yes);
  CHECK(directory.names() == std::vector<std::string>{"b"});
}

TEST_CASE("asp-cp receiver: data that stops early is not a file, and can be gone on with") {
  const Directory directory;
  const std::string text(50'000, 'y');
  CHECK(receive_from(directory.path, false, "", [&](Control& control, Link& link) {
          control.send(FileHead{"a", text.size(), 0600, {}}.record());
          hear(control);
          control.send(Data{0}.record());
          send_all(link, text.substr(0, 20'000));
          control.send(Stopped{20'000, tool::io, "it changed"}.record());
          CHECK(word_of(hear(control)) == "refused");
          CHECK(directory.names() == std::vector<std::string>{".a.asp-part"});
          control.send(FileHead{"a", text.size(), 0600, {}}.record());
          const Have have = Have::parse(hear(control));
          CHECK(have.size == 20'000);
          CHECK(have.sha256 == sha256_of(text.substr(0, 20'000)));
          control.send(Data{20'000}.record());
          send_all(link, text.substr(20'000));
          control.send(Digest{sha256_of(text)}.record());
          CHECK(word_of(hear(control)) == "stored");
          control.send(plain("bye"));
        }) == tool::yes);
  CHECK(directory.read("a") == text);
}

TEST_CASE("asp-cp receiver: a hostile sender writes nothing that was not asked for") {
  const auto say = [](Record message) { return [message](Control& control, Link&) { control.send(message); }; };
  Record climb = plain("file");
  for (const auto& [name, value] :
       {std::pair{"path", "../evil"}, {"size", "0"}, {"mode", "0"}, {"mtime", "0.000000000"}})
    climb.add(name, value);
  const std::vector<std::function<void(Control&, Link&)>> attacks = {
      say(FileHead{"other", 1, 0, {}}.record()),  // another name
      say(FileHead{"a/b", 1, 0, {}}.record()),    // deeper, without -r
      say(DirectoryHead{"a", 0755}.record()),     // a directory, without -r
      say(climb),
      say(plain("nonsense")),
      say(plain("data")),
      [](Control& control, Link&) {  // an offset that was not offered
        control.send(FileHead{"a", 10, 0, {}}.record());
        control.send(Data{5}.record());
      },
      [](Control& control, Link& link) {  // ends before it began
        control.send(FileHead{"a", 100, 0, {}}.record());
        control.send(Data{0}.record());
        send_all(link, std::string(50, 'x'));
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        control.send(Stopped{10, tool::io, ""}.record());
      },
      [](Control& control, Link&) {  // ends behind its end
        control.send(FileHead{"a", 100, 0, {}}.record());
        control.send(Data{0}.record());
        control.send(Stopped{101, tool::io, ""}.record());
      },
  };
  for (std::size_t i = 0; i < attacks.size(); ++i) {
    CAPTURE(i);
    const Directory directory;
    CHECK(receive_from(directory.path, false, "a", attacks[i]) == tool::bad_input);
    for (const auto& name : directory.names()) CHECK(name == ".a.asp-part");
    CHECK(::access((directory.path + "/../evil").c_str(), F_OK) != 0);
  }
}

TEST_CASE("asp-cp receiver: links planted in the target are not followed") {
  const Directory directory, outside;
  REQUIRE(::symlink((outside.path + "/loot").c_str(), (directory.path + "/.a.asp-part").c_str()) == 0);
  REQUIRE(::symlink(outside.path.c_str(), (directory.path + "/d").c_str()) == 0);
  { std::ofstream(outside.path + "/hard") << "precious"; }
  REQUIRE(::link((outside.path + "/hard").c_str(), (directory.path + "/.h.asp-part").c_str()) == 0);
  const auto put = [](Control& control, Link& link, const std::string& name) {
    control.send(FileHead{name, 1, 0600, {}}.record());
    const Record answer = hear(control);
    if (word_of(answer) != "have") return word_of(answer);
    CHECK(Have::parse(answer).size == 0);
    control.send(Data{0}.record());
    send_all(link, "x");
    control.send(Digest{sha256_of("x")}.record());
    return word_of(hear(control));
  };
  CHECK(receive_from(directory.path, true, "", [&](Control& control, Link& link) {
          CHECK(put(control, link, "a") == "stored");
          CHECK(put(control, link, "h") == "stored");
          CHECK(put(control, link, "d/b") == "refused");
          CHECK(put(control, link, "d") == "stored");  // replaces the link itself
          control.send(plain("bye"));
        }) == tool::yes);
  CHECK(outside.names() == std::vector<std::string>{"hard"});
  CHECK(outside.read("hard") == "precious");
  CHECK(directory.read("a") == "x");
  CHECK(directory.read("h") == "x");
}

TEST_CASE("asp-cp target: two writers of one file do not mix") {
  const Directory directory;
  const Target target = Target::open(directory.path, true);
  const FileHead head{"a", 10, 0600, {}};
  Incoming first(target.place("a"), head);
  CHECK(code_of([&] { Incoming(target.place("a"), head); }) == tool::temporary);
}

TEST_CASE("asp-cp target: what the user's DST may be") {
  const Directory directory;
  CHECK(code_of([&] { Target::open(directory.path + "/new", false); }) == tool::yes);
  CHECK(code_of([&] { Target::open(directory.path + "/new", true); }) == tool::io);
  CHECK(code_of([&] { Target::open(directory.path + "/no/new", false); }) == tool::io);
  CHECK(code_of([&] { Target::open(directory.path + "/new/", false); }) == tool::io);
  CHECK(Target::open(directory.path + "/new", false).place("old").name == "new");
  CHECK(Target::open(directory.path, false).place("old").name == "old");
}

TEST_CASE("asp-cp check: how far ssh has come") {
  SshStory story;
  CHECK_FALSE(story.take("debug1: Server host key: ssh-ed25519 SHA256:abc"));
  CHECK(story.host_key == SshStory::HostKey::seen);
  CHECK_FALSE(story.take("debug1: Host '[h]:33001' is known and matches the ED25519 host key."));
  CHECK(story.host_key == SshStory::HostKey::accepted);
  CHECK_FALSE(story.take("debug1: Offering public key: /home/bear/my key ED25519 SHA256:def explicit"));
  CHECK_FALSE(story.take("debug1: Offering public key: SHA256:odd"));
  REQUIRE(story.offered.size() == 1);
  CHECK(story.offered[0] == "ED25519 SHA256:def");
  CHECK(story.take("bear@h: Permission denied (publickey)."));
  CHECK(story.last == "bear@h: Permission denied (publickey).");
  CHECK_FALSE(story.logged_in);
  CHECK_FALSE(story.take("Authenticated to h ([198.51.100.39]:33001) using \"publickey\"."));
  CHECK(story.logged_in);
  CHECK(story.method == "publickey");
  CHECK(story.last.empty());
  CHECK_FALSE(story.take("debug1: Sending command: asp-cp -S"));
  CHECK(story.take("The server behind this proxy cannot be reached."));
  CHECK(story.last == "The server behind this proxy cannot be reached.");
  // What the other end says can change nothing any more.
  CHECK(story.take("Host key verification failed."));
  CHECK(story.host_key == SshStory::HostKey::accepted);

  SshStory changed;
  changed.take("@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @");
  changed.take("Host key verification failed.");
  CHECK(changed.host_key == SshStory::HostKey::changed);
  SshStory unknown;
  unknown.take("No ED25519 host key is known for h and you have requested strict checking.");
  unknown.take("Host key verification failed.");
  CHECK(unknown.host_key == SshStory::HostKey::unknown);
  for (int i = 0; i < 100; ++i) unknown.take("debug1: Offering public key: x ED25519 SHA256:def");
  CHECK(unknown.offered.size() == 16);
}

TEST_CASE("asp-cp check: a probe has its size, its session and its proof") {
  const probe::Secret secret{kSession, kSecret};
  for (const std::size_t size : {probe::kHeadSize, std::size_t{64}, std::size_t{1472}}) {
    std::string datagram = probe::make(secret, '?', size);
    CHECK(datagram.size() == size);
    CHECK(probe::recognise(datagram, secret, '?') == size);
    CHECK(probe::recognise(datagram, secret, '!') == 0);
    CHECK(probe::recognise(datagram, {kSession, std::string(64, 'b')}, '?') == 0);
    CHECK(probe::recognise(datagram, {std::string(32, '0'), kSecret}, '?') == 0);
    CHECK(probe::recognise(datagram + "x", secret, '?') == 0);
    CHECK(probe::recognise(datagram.substr(1), secret, '?') == 0);
  }
  CHECK(probe::recognise("", secret, '?') == 0);
}

TEST_CASE("asp-cp check: what the largest datagrams mean") {
  Scene scene;
  scene.host = "proxy";
  struct Case {
    blame::Sizes sizes;
    bool doubtful;
    const char* ask;
  };
  const Case cases[] = {
      {{1472, 1472, 1500, 1500, true}, false, ""},
      {{1452, 1452, 1500, 1500, false}, false, ""},
      {{1372, 1372, 1400, 1500, true}, false, ""},  // the router has said so
      {{1372, 1372, 1500, 1500, true}, true, "your own firewall"},
      {{1372, 1372, 0, 1500, true}, true, "your own firewall"},
      {{1472, 1372, 1500, 1500, true}, true, "ask the administrator of proxy to let"},
      {{1472, 1372, 1500, 1400, true}, false, ""},
      {{1352, 1352, 1400, 1500, false}, false, ""},
  };
  for (const auto& one : cases) {
    bool doubtful = false;
    const auto found = blame::sizes(scene, one.sizes, doubtful);
    CHECK(doubtful == one.doubtful);
    CHECK_MESSAGE(found.ask.find(one.ask) != std::string::npos, found.ask);
    CHECK(found.ask.empty() == !one.doubtful);
  }
}

TEST_CASE("asp-cp check: the command line") {
  CHECK(parse({"--check", "bear@proxy"}).far.host == "proxy");
  CHECK(parse({"--check", "bear@proxy:"}).far.user == "bear");
  CHECK(parse({"--check", "bear@[2001:db8::1]"}).far.host == "2001:db8::1");
  CHECK(parse({"--check", "--json", "-q", "-l", "10M", "proxy"}).rate == 10'000'000);
  for (const auto& words : std::vector<std::vector<std::string>>{{"--check"},
                                                                 {"--check", "a", "b"},
                                                                 {"--check", "a:b"},
                                                                 {"--check", "2001:db8::1"},
                                                                 {"--check", "-r", "a"},
                                                                 {"--check", "--rm", "a:b"},
                                                                 {"--check", "-S"},
                                                                 {"--check", ""},
                                                                 {"--check", "-oProxyCommand=x"}}) {
    CHECK(code_of([&] { parse(words); }) == tool::usage);
  }
}
