#include <doctest/doctest.h>

#include <stdlib.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "session/ending.h"

namespace {

// Sets a variable, or takes it away, and puts back what was there.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* before = ::getenv(name)) before_ = before;
    if (value) ::setenv(name, value, 1);
    else ::unsetenv(name);
  }
  Variable(const Variable&) = delete;
  ~Variable() {
    if (before_) ::setenv(name_, before_->c_str(), 1);
    else ::unsetenv(name_);
  }

 private:
  const char* name_;
  std::optional<std::string> before_;
};

session::ending::Invoker invoker(const char* user, const char* uid) {
  const Variable sudo_user("SUDO_USER", user);
  const Variable sudo_uid("SUDO_UID", uid);
  return session::ending::invoker();
}

}  // namespace

TEST_CASE("ending: who ends a session is whom sudo names, if it names both") {
  CHECK(invoker("alice", "1000").name == "alice");
  CHECK(invoker("alice", "1000").uid == 1000);
  const auto without = invoker(nullptr, nullptr);
  CHECK_FALSE(without.name.empty());
  for (const char* uid : {"", "x", "1000x", "-1", " 1000", "4294967296"}) {
    CAPTURE(std::string(uid));
    CHECK(invoker("alice", uid).name == without.name);
    CHECK(invoker("alice", uid).uid == without.uid);
  }
  CHECK(invoker("alice", nullptr).uid == without.uid);
  CHECK(invoker(nullptr, "1000").uid == without.uid);
  CHECK(invoker("a\nb", "1000").uid == without.uid);
}

TEST_CASE("ending: a session without a record is over") {
  session::Session gone;
  gone.id = "00000000-0000-4000-8000-000000000000";
  const auto outcome = session::ending::end({gone}, {"alice", 1000});
  REQUIRE(outcome.ended.size() == 1);
  CHECK(outcome.ended.front().id == gone.id);
  CHECK(outcome.remain.empty());
  CHECK(session::ending::end({}, {"alice", 1000}).ended.empty());
}
