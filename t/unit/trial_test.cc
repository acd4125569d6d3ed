#include <doctest/doctest.h>

#include <string>

#include "base/record.h"
#include "session/trial.h"

TEST_CASE("trial: the question is told from what a session asks") {
  CHECK(session::trial::is_question(session::trial::question()));
  CHECK(session::trial::is_question(record::parse_one("trial=sudo\n")));
  for (const std::string text : {"trial=su\n", "trial=sudo\nuser=bear\n", "user=bear\n", "trial=sudo\ntrial=sudo\n"}) {
    CAPTURE(text);
    CHECK_FALSE(session::trial::is_question(record::parse_one(text)));
  }
}

TEST_CASE("trial: a helper that can run a program works, and one without the account says so") {
  CHECK(session::trial::answer().text() == "works\n");
  const std::string failed = session::trial::answer("no such account").text();
  CHECK(failed.starts_with("failed reason="));
}
