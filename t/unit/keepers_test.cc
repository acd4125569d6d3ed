#include <doctest/doctest.h>

#include <string>

#include "base/failure.h"
#include "session/keepers.h"

namespace {

constexpr char kText[] = "pid=4711\nstarted=81273645\nsince=812\n\nto=10.0.0.10:22\nuser=bear\n\n";

}  // namespace

TEST_CASE("keepers: a note is read as it was written") {
  const auto note = session::keepers::Note::parse(kText);
  CHECK(note.pid == 4711);
  CHECK(note.started == 81273645);
  CHECK(note.since == 812);
  CHECK(note.terms == "to=10.0.0.10:22\nuser=bear\n\n");
  CHECK(note.text() == kText);
}

TEST_CASE("keepers: another note is refused") {
  const std::string good = kText;
  const std::string terms = good.substr(good.find("to="));
  for (const std::string& text :
       {std::string(), std::string("pid=4711\n"), good + "more=1\n\n", "pid=1\nstarted=1\nsince=1\n\n" + terms,
        "pid=-1\nstarted=1\nsince=1\n\n" + terms, "pid=4294967297\nstarted=1\nsince=1\n\n" + terms,
        "pid=4711\nsince=1\n\n" + terms, "pid=4711\nstarted=x\nsince=1\n\n" + terms,
        "pid=4711\nstarted=1\nsince=1\nuid=0\n\n" + terms, "pid=4711\npid=2\nstarted=1\nsince=1\n\n" + terms,
        good.substr(0, good.find("to="))}) {
    CAPTURE(text);
    CHECK_THROWS_AS(session::keepers::Note::parse(text), tool::Failure);
  }
}
