// setup: from a bare host to a proxy that works, and back; asperaproxy(8).
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include <fmt/core.h>

#include "base/failure.h"
#include "base/io.h"
#include "base/logging.h"
#include "setup_answers.h"
#include "setup_journal.h"
#include "setup_proof.h"
#include "setup_remains.h"
#include "setup_steps.h"
#include "verbs.h"

namespace asperaproxy {
namespace {

using namespace setup;

void say(const std::string& text) { io::write_all(STDOUT_FILENO, text); }

int undo(Journal& journal) {
  int result = tool::yes;
  while (!journal.entries().empty()) {
    const std::string step = journal.entries().back().step;
    const auto complaints = journal.take_back();
    say(fmt::format("undone {}\n", step));
    for (const auto& complaint : complaints) {
      std::fputs(fmt::format("asperaproxy: {}: {}\n", step, logging::escape(complaint)).c_str(), stderr);
      result = tool::no;
    }
  }
  journal.forget();
  logging::event("Setup: undone");
  say(result == tool::yes ? "all is as it was before setup\n" : "all else is as it was before setup\n");
  return result;
}

// What cannot even be looked at is one line; the next steps may be seen all the same.
int show_all(const Answers& answers, const Journal& journal) {
  int result = tool::yes;
  for (const auto& maker : steps()) {
    try {
      show(maker.make(answers, journal));
    } catch (const tool::Failure& failure) {
      say(fmt::format("FAIL  {}: {}\n", maker.name, logging::escape(failure.what())));
      result = failure.code();
    }
  }
  return result;
}

Step made(const Maker& maker, const Answers& answers, const Journal& journal) {
  try {
    return maker.make(answers, journal);
  } catch (const tool::Failure& failure) {
    throw tool::Failure(failure.code(),
                        fmt::format("{}: {}. Nothing of this step is done. Mend that, and run asperaproxy setup again: "
                                    "it goes on from here; --undo takes the steps before back",
                                    maker.name, failure.what()));
  }
}

int set_up(const Answers& answers, Journal& journal) {
  journal.remember(answers);
  for (const auto& maker : steps()) take(made(maker, answers, journal), journal);
  const Proof proof = prove(answers);
  say(remains(answers, proof != Proof::failed));
  if (proof != Proof::failed) return tool::yes;
  say("\nNot all of it works yet. When that is done: asperaproxy setup --yes\n");
  return tool::no;
}

}  // namespace

int set_up(const std::vector<std::string>& words) {
  require_root();
  ::umask(022);
  Journal journal;
  const auto asked = setup::asked(words, journal.answers());
  switch (asked.manner) {
    case Manner::undo: return undo(journal);
    case Manner::show: return show_all(asked.answers, journal);
    default: return set_up(asked.answers, journal);
  }
}

}  // namespace asperaproxy
