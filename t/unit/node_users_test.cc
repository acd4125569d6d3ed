#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <time.h>

#include <fmt/core.h>

#include "base/failure.h"
#include "config/node_passwords.h"

namespace {

// Of the password "secret".
const std::string kHash = "$y$j9T$eHe5mobWt0Y8bkSMmvZNl.$PUo.be30p9e/ego2POV6/iqoTesZRXyt43HoJselWp3";

std::vector<config::NodeUser> parse(const std::string& text) { return config::node_users::parse(text, "users"); }

std::string complaint(const auto& action) {
  try {
    action();
  } catch (const tool::Failure& failure) {
    return fmt::format("{}: {}", static_cast<int>(failure.code()), failure.what());
  }
  return "(nothing)";
}

std::string complaint_of(const std::string& text) {
  return complaint([&] { parse(text); });
}

// A file that goes away again.
struct File {
  explicit File(const std::string& text) {
    char name[] = "/tmp/node_users-XXXXXX";
    const int fd = ::mkstemp(name);
    REQUIRE(fd >= 0);
    ::close(fd);
    path = name;
    std::ofstream(path) << text;
  }
  ~File() { ::unlink(path.c_str()); }
  std::string path;
};

}  // namespace

TEST_CASE("node_users: what is read is written the same") {
  const auto users = parse("# comment\n\nalice:" + kHash + ":xfer:\nroot@x:" + kHash + ":bear:admin\n");
  REQUIRE(users.size() == 2);
  CHECK(users[0].name == "alice");
  CHECK(users[0].hash == kHash);
  CHECK(users[0].system_user == "xfer");
  CHECK_FALSE(users[0].is_admin());
  CHECK(users[1].is_admin());
  CHECK(config::node_users::text_of(parse(config::node_users::text_of(users))) == config::node_users::text_of(users));
  CHECK(parse("").empty());
  CHECK(parse("alice:" + kHash + ":xfer:").size() == 1);  // without the last newline
}

TEST_CASE("node_users: every line that is not as written is refused, with its number") {
  const std::string good = "alice:" + kHash + ":xfer:\n";
  CHECK(complaint_of(good) == "(nothing)");
  CHECK(complaint_of(good + "x\n") == "78: users:2: not name:hash:account:ACLs");
  CHECK(complaint_of(good + good) == "78: users:2: alice is given twice");
  CHECK(complaint_of("a:" + kHash + ":xfer") == "78: users:1: not name:hash:account:ACLs");
  CHECK(complaint_of("a:" + kHash + ":xfer::") == "78: users:1: not name:hash:account:ACLs");
  for (const std::string name : {"", "-a", "a b", "a\x01", "a\xc3\xa4", "a/b", "a,b"}) {
    CAPTURE(name);
    CHECK(complaint_of(name + ":" + kHash + ":xfer:") == "78: users:1: the name is not valid");
  }
  CHECK(complaint_of(std::string(65, 'a') + ":" + kHash + ":xfer:") == "78: users:1: the name is not valid");
  CHECK(complaint_of(std::string(64, 'a') + ":" + kHash + ":xfer:") == "(nothing)");
  for (const std::string account : {"", "-a", " a", "a/b"})
    CHECK(complaint_of("a:" + kHash + ":" + account + ":") == "78: users:1: the account is not valid");
  for (const std::string acl : {"Admin", "admin,", "admin,admin", "root", " ", "admin\r"}) {
    CAPTURE(acl);
    CHECK(complaint_of("a:" + kHash + ":xfer:" + acl) == "78: users:1: the only ACL there is is admin");
  }
}

TEST_CASE("node_users: no hash but yescrypt's at the one cost") {
  const std::string digest = kHash.substr(kHash.rfind('$'));
  for (const std::string& hash : std::vector<std::string>{
           "", "*", "!" + kHash, "secret", "$1$salt$qJH7.N4xYta3aEG/dfqo/0", "$6$salt$" + std::string(86, 'a'),
           "$y$j75$Mu4t4mPYrx9b8eWeuE7gk/" + digest, "$y$jFT$eHe5mobWt0Y8bkSMmvZNl." + digest, "$y$j9T$" + digest,
           "$y$j9T$" + std::string(87, 'a') + digest, kHash + "a", kHash.substr(0, kHash.size() - 1), kHash + "$",
           "$y$j9T$a b" + digest, "$y$j9T$ab"}) {
    CAPTURE(hash);
    CHECK(complaint_of("a:" + hash + ":xfer:") == "78: users:1: the hash is not one that asnodeadmin writes");
  }
  CHECK(complaint_of("a:$y$j9T$" + std::string(86, 'a') + digest + ":xfer:") == "(nothing)");
}

TEST_CASE("node_users: a password opens its own user alone") {
  const auto users = parse("alice:" + kHash + ":xfer:\nbob:" +
                           config::node_users::hash_password("b\xc3\xb6"
                                                             "b: x") +
                           ":xfer:admin\n");
  CHECK(config::node_users::authenticate(users, "alice", "secret").value().name == "alice");
  CHECK(config::node_users::authenticate(users, "bob",
                                         "b\xc3\xb6"
                                         "b: x")
            .value()
            .is_admin());
  for (const std::string& wrong :
       std::vector<std::string>{"", "secre", "secret ", "Secret", kHash, "-", std::string("secret\0", 7),
                                std::string("secret\0x", 8), std::string(256, 'a'), std::string(100000, 'a')}) {
    CAPTURE(wrong.size());
    CHECK_FALSE(config::node_users::authenticate(users, "alice", wrong));
    CHECK_FALSE(config::node_users::authenticate(users, "mallory", wrong));
  }
  CHECK_FALSE(config::node_users::authenticate(users, "bob", "secret"));
  CHECK_FALSE(config::node_users::authenticate(users, "mallory", "secret"));
  CHECK_FALSE(config::node_users::authenticate(users, "", "secret"));
  CHECK_FALSE(config::node_users::authenticate(users, "Alice", "secret"));
  CHECK_FALSE(config::node_users::authenticate({}, "alice", "secret"));
  CHECK_FALSE(
      config::node_users::authenticate(parse("a:" + config::node_users::hash_password("-") + ":xfer:"), "a", ""));
}

TEST_CASE("node_users: who is not there costs a hash all the same") {
  const auto users = parse("alice:" + kHash + ":xfer:\n");
  const auto cost = [&](const std::string& name, const std::string& password) {
    timespec before{};
    timespec after{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    config::node_users::authenticate(users, name, password);
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    return static_cast<double>(after.tv_sec - before.tv_sec) * 1e3 +
           static_cast<double>(after.tv_nsec - before.tv_nsec) / 1e6;
  };
  const double known = cost("alice", "wrong");
  // Processor time, not the clock's, and far from either: without the hash it is a thousandth.
  CHECK(cost("mallory", "wrong") > known / 10);
  CHECK(cost("mallory", "") > known / 10);
  CHECK(cost("alice", "") > known / 10);
  CHECK(cost("alice", std::string(256, 'a')) > known / 10);
}

TEST_CASE("node_users: hashes have salts of their own and the one form; passwords have limits") {
  const std::string first = config::node_users::hash_password("secret");
  CHECK(first != config::node_users::hash_password("secret"));
  CHECK(complaint_of("a:" + first + ":xfer:") == "(nothing)");
  CHECK(complaint([] {
          config::node_users::hash_password("");
        }).starts_with("65: the password must have 1 to 255 bytes"));
  CHECK(complaint([] { config::node_users::hash_password("a\nb"); }).starts_with("65: "));
  CHECK(complaint([] { config::node_users::hash_password(std::string("a\0b", 3)); }).starts_with("65: "));
  CHECK(complaint([] { config::node_users::hash_password(std::string(256, 'a')); }).starts_with("65: "));
  const std::string longest(255, 'a');
  const auto users = parse("a:" + config::node_users::hash_password(longest) + ":xfer:");
  CHECK(config::node_users::authenticate(users, "a", longest));
  CHECK_FALSE(config::node_users::authenticate(users, "a", longest.substr(1)));
}

TEST_CASE("node_users: the file is root's and nobody else writes it") {
  CHECK(config::node_users::load("/nonexistent/node_users.conf").empty());
  CHECK(complaint([] { config::node_users::load("/tmp"); }).starts_with("78: /tmp: not a regular file"));
  CHECK(complaint([] { config::node_users::load("/dev/null"); }).starts_with("78: /dev/null: not a regular file"));
  if (::getuid() != 0) return;
  const File file("alice:" + kHash + ":xfer:\n");
  CHECK(config::node_users::load(file.path).size() == 1);
  for (const mode_t mode : {0660u, 0602u, 0622u}) {
    CHECK(::chmod(file.path.c_str(), mode) == 0);
    CHECK(complaint([&] { config::node_users::load(file.path); }) ==
          "78: " + file.path + ": must belong to root and be writable by root alone");
  }
  CHECK(::chmod(file.path.c_str(), 0640) == 0);
  CHECK(config::node_users::load(file.path).size() == 1);
  CHECK(::chown(file.path.c_str(), 65534, 0) == 0);
  CHECK(complaint([&] { config::node_users::load(file.path); }).starts_with("78: "));
  CHECK(::chown(file.path.c_str(), 0, 0) == 0);
  CHECK(::truncate(file.path.c_str(), config::node_users::kMaxBytes + 1) == 0);
  CHECK(complaint([&] { config::node_users::load(file.path); }) ==
        fmt::format("78: {}: larger than {} bytes", file.path, config::node_users::kMaxBytes));
}
